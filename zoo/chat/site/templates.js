// Prompts to begin with: {text} is where the cursor goes.
export const templates = [
  { title: "Explain", prompt: "Explain to a ten-year-old: {text}" },
  { title: "Summarise", prompt: "Summarise this in three sentences:\n\n{text}" },
  { title: "Rewrite", prompt: "Rewrite this so that it is clear and friendly:\n\n{text}" },
  { title: "Translate", prompt: "Translate this into French:\n\n{text}" },
  { title: "Code", prompt: "Write a Python function that {text}" },
  { title: "Ideas", prompt: "Give me ten ideas for {text}" },
];
