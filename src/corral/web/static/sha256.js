// SHA-256 of a file in pieces (FIPS 180-4). WebCrypto wants the whole file in memory, and is absent on plain http.

const K = new Int32Array(64);
const START = new Int32Array(8);
{
  let found = 0;
  for (let n = 2; found < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (!prime) continue;
    if (found < 8) START[found] = (Math.sqrt(n) % 1) * 2 ** 32;
    K[found++] = (Math.cbrt(n) % 1) * 2 ** 32;
  }
}

class Sha256 {
  #state = START.slice();
  #rest = new Uint8Array(64);
  #held = 0;
  #length = 0;

  update(bytes) {
    this.#length += bytes.length;
    let at = 0;
    if (this.#held) {
      at = Math.min(64 - this.#held, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#held);
      this.#held += at;
      if (this.#held < 64) return;
      compress(this.#state, this.#rest, 0);
      this.#held = 0;
    }
    at = compress(this.#state, bytes, at);
    this.#rest.set(bytes.subarray(at));
    this.#held = bytes.length - at;
  }

  hex() {
    const end = new Uint8Array(this.#held < 56 ? 64 : 128);
    end.set(this.#rest.subarray(0, this.#held));
    end[this.#held] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor((this.#length * 8) / 2 ** 32));
    view.setUint32(end.length - 4, (this.#length * 8) >>> 0);
    compress(this.#state, end, 0);
    return [...this.#state].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

const W = new Int32Array(64);

// all whole blocks of `b` from `at` on; returns where they end
function compress(state, b, at) {
  const w = W;
  const k = K;
  let s0 = state[0];
  let s1 = state[1];
  let s2 = state[2];
  let s3 = state[3];
  let s4 = state[4];
  let s5 = state[5];
  let s6 = state[6];
  let s7 = state[7];
  for (; at + 64 <= b.length; at += 64) {
    let a0 = s0;
    let a1 = s1;
    let a2 = s2;
    let a3 = s3;
    let e0 = s4;
    let e1 = s5;
    let e2 = s6;
    let e3 = s7;
    for (let i = 0; i < 64; i++) {
      let word;
      if (i < 16) {
        const p = at + i * 4;
        word = (b[p] << 24) | (b[p + 1] << 16) | (b[p + 2] << 8) | b[p + 3];
      } else {
        const x = w[i - 15];
        const y = w[i - 2];
        const low = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const high = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        word = (((w[i - 16] + low) | 0) + ((w[i - 7] + high) | 0)) | 0;
      }
      w[i] = word;
      const high = ((e0 >>> 6) | (e0 << 26)) ^ ((e0 >>> 11) | (e0 << 21)) ^ ((e0 >>> 25) | (e0 << 7));
      const one = (((e3 + high) | 0) + ((((e0 & e1) ^ (~e0 & e2)) + ((k[i] + word) | 0)) | 0)) | 0;
      const low = ((a0 >>> 2) | (a0 << 30)) ^ ((a0 >>> 13) | (a0 << 19)) ^ ((a0 >>> 22) | (a0 << 10));
      const two = (low + ((a0 & a1) ^ (a0 & a2) ^ (a1 & a2))) | 0;
      e3 = e2;
      e2 = e1;
      e1 = e0;
      e0 = (a3 + one) | 0;
      a3 = a2;
      a2 = a1;
      a1 = a0;
      a0 = (one + two) | 0;
    }
    s0 = (s0 + a0) | 0;
    s1 = (s1 + a1) | 0;
    s2 = (s2 + a2) | 0;
    s3 = (s3 + a3) | 0;
    s4 = (s4 + e0) | 0;
    s5 = (s5 + e1) | 0;
    s6 = (s6 + e2) | 0;
    s7 = (s7 + e3) | 0;
  }
  state.set([s0, s1, s2, s3, s4, s5, s6, s7]);
  return at;
}

const PIECE = 4 * 2 ** 20;

export async function sha256(file, progress) {
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += PIECE) {
    hash.update(new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer()));
    progress?.(Math.min(1, (at + PIECE) / file.size));
  }
  return hash.hex();
}
