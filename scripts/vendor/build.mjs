// Packs the two entries beside this file, and uPlot, into web/vendor, with their licences and checksums.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = `${here}../../web/vendor/`;
const { dependencies } = JSON.parse(await readFile(`${here}package.json`));
const packed = Object.entries(dependencies).filter(([name]) => name !== "esbuild");
const banner = `/* ${packed.map(([name, version]) => `${name} ${version}`).join(", ")}: see LICENSES.txt */`;

await build({
  entryPoints: {
    firebase: `${here}firebase.mjs`,
    ui: `${here}ui.mjs`,
    uplot: `${here}node_modules/uplot/dist/uPlot.esm.js`,
  },
  bundle: true,
  format: "esm",
  minify: true,
  legalComments: "none",
  target: "es2022",
  banner: { js: banner },
  outdir: out,
});
await copyFile(`${here}node_modules/uplot/dist/uPlot.min.css`, `${out}uplot.css`);

const licences = await Promise.all(packed.map(([name, version]) => licence(name, version)));
await writeFile(`${out}LICENSES.txt`, licences.join("\n\n"));
const names = ["firebase.js", "ui.js", "uplot.js", "uplot.css", "LICENSES.txt"];
const sums = await Promise.all(
  names.map(async (name) => `${createHash("sha256").update(await readFile(out + name)).digest("hex")}  ${name}`),
);
await writeFile(`${out}SHA256SUMS`, `${sums.join("\n")}\n`);
console.log(sums.join("\n"));

async function licence(name, version) {
  const folder = `${here}node_modules/${name}/`;
  const { license } = JSON.parse(await readFile(`${folder}package.json`));
  const text = await readFile(`${folder}LICENSE`, "utf8").catch(() => "");
  return `${name} ${version}: ${license}\n\n${text || `The text of ${license} is at https://spdx.org/licenses/${license}.html`}`;
}
