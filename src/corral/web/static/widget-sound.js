// Sounds that the microphone hears, as WAV files: what browsers record is not what the hub reads.

import { button, make, Sentence } from "./dom.js";

/** Samples a second of what is recorded: what models that listen are trained on. */
const RATE = 16_000;

/** A sound in any format that this browser knows, as a WAV file of 16 bits with one channel. */
export async function wav(blob) {
  const context = new OfflineAudioContext(1, 1, RATE);
  let heard;
  try {
    // decoding brings it to the context's rate, too
    heard = await context.decodeAudioData(await blob.arrayBuffer());
  } catch {
    throw new Sentence("This sound cannot be read here. Choose a WAV, FLAC, MP3 or Ogg file.");
  }
  const channels = Array.from({ length: heard.numberOfChannels }, (_, i) => heard.getChannelData(i));
  const view = new DataView(new ArrayBuffer(44 + heard.length * 2));
  const word = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, 36 + heard.length * 2, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true);
  view.setUint32(28, RATE * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, heard.length * 2, true);
  for (let i = 0; i < heard.length; i += 1) {
    const mean = channels.reduce((sum, samples) => sum + samples[i], 0) / channels.length;
    view.setInt16(44 + i * 2, Math.max(-1, Math.min(1, mean)) * 32767, true);
  }
  return new Blob([view], { type: "audio/wav" });
}

/** A button that records until it is pressed again, and hands over a WAV file. */
export function recorder(take, failed) {
  let recording = null;
  let ticking = 0;
  const time = make("span", { className: "hint" });
  const press = button("Record", async () => {
    if (recording) return recording.stop();
    try {
      await begin();
    } catch (error) {
      failed(
        error instanceof Sentence
          ? error
          : new Sentence("The microphone cannot be used: allow it for this page, then try again."),
      );
    }
  });
  const node = make("div", { className: "row record" }, press, time);
  if (!navigator.mediaDevices) {
    press.disabled = true;
    time.textContent = "Browsers let a page record only over https or on localhost.";
  }

  async function begin() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const pieces = [];
    recording = new MediaRecorder(stream);
    recording.addEventListener("dataavailable", (event) => pieces.push(event.data));
    recording.addEventListener("stop", async () => {
      clearInterval(ticking);
      stream.getTracks().forEach((track) => track.stop());
      const type = recording.mimeType;
      recording = null;
      press.textContent = "Record";
      press.classList.remove("on");
      time.textContent = "";
      try {
        await take(await wav(new Blob(pieces, { type })));
      } catch (error) {
        failed(error);
      }
    });
    recording.start();
    const since = performance.now();
    press.textContent = "Stop recording";
    press.classList.add("on");
    ticking = setInterval(() => (time.textContent = `${((performance.now() - since) / 1000).toFixed(0)} s`), 200);
  }
  return node;
}
