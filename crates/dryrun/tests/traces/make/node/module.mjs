import { readFile } from "node:fs/promises";
const text = await readFile("/does/not/exist");
