// Node: sharp decodes and resizes, onnxruntime-node classifies batches of eight.
// Command line: the model, the folder of photos, the number of threads.

import { readdirSync } from "node:fs";
import path from "node:path";
import ort from "onnxruntime-node";
import sharp from "sharp";

const [model, folder, threads] = process.argv.slice(2);
const BATCH = 8;
const SIDE = 224;
sharp.concurrency(Number(threads));
const session = await ort.InferenceSession.create(model, { intraOpNumThreads: Number(threads) });
const names = readdirSync(folder).sort();

async function pixels(name) {
  const data = await sharp(path.join(folder, name)).resize(SIDE, SIDE, { fit: "cover" }).toColourspace("srgb").removeAlpha().raw().toBuffer();
  const planes = new Float32Array(3 * SIDE * SIDE);
  for (let at = 0; at < SIDE * SIDE; at++) for (let colour = 0; colour < 3; colour++) planes[colour * SIDE * SIDE + at] = data[3 * at + colour];
  return planes;
}

for (let start = 0; start < names.length; start += BATCH) {
  const batch = names.slice(start, start + BATCH);
  const stacked = new Float32Array(batch.length * 3 * SIDE * SIDE);
  (await Promise.all(batch.map(pixels))).forEach((planes, at) => stacked.set(planes, at * 3 * SIDE * SIDE));
  const { logits } = await session.run({ pixels: new ort.Tensor("float32", stacked, [batch.length, 3, SIDE, SIDE]) });
  batch.forEach((name, at) => {
    const own = Array.from(logits.data.subarray(at * 1000, (at + 1) * 1000));
    const top = own.map((_, index) => index).sort((a, b) => own[b] - own[a]).slice(0, 5);
    console.log(name, ...top);
  });
}
