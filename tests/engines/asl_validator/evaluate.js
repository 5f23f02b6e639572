// Reads [[expression, variables], …] from standard input, writes the values; null stands for nothing.
const path = require('node:path');
const jsonata = require(path.join(process.argv[2], 'node_modules/jsonata'));

async function main() {
  const asked = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
  const values = [];
  for (const [expression, variables] of asked) {
    const value = await jsonata(expression).evaluate(undefined, variables);
    values.push(value === undefined ? null : value);
  }
  process.stdout.write(JSON.stringify(values));
}

main();
