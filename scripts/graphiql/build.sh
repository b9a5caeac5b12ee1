#!/bin/sh
# Build gateway/server/graphiql/{graphiql.js,graphiql.css,LICENSES.md} from the packages in package.json.
# GraphiQL 4 is taken on purpose: 5 brings an editor five times the size that needs web workers, which a page with a
# strict content security policy and no build step at the user's side is better off without.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out="$here/../../gateway/server/graphiql"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/package.json" "$here/entry.jsx" "$here/page.css" "$work"
cd "$work"
npm install --ignore-scripts --no-audit --no-fund --loglevel=error
node node_modules/esbuild/bin/esbuild entry.jsx --bundle --minify --format=esm --target=es2022 --jsx=automatic \
  --define:process.env.NODE_ENV='"production"' --loader:.ttf=dataurl --loader:.woff2=dataurl --loader:.svg=dataurl \
  --legal-comments=none --metafile=meta.json --outfile=graphiql.js
node -e '
  const fs = require("fs");
  const names = new Set(Object.keys(require("./meta.json").inputs)
    .map((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]).filter(Boolean));
  const text = [...names].sort().map((name) => {
    const folder = `node_modules/${name}`;
    const about = JSON.parse(fs.readFileSync(`${folder}/package.json`));
    const file = fs.readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const license = file ? fs.readFileSync(`${folder}/${file}`, "utf8").trim() : `License: ${about.license}`;
    return `${name} ${about.version}\n${"-".repeat(60)}\n${license}\n`;
  });
  fs.writeFileSync("LICENSES.md", "graphiql.js and graphiql.css are built from these packages.\n\n" + text.join("\n\n"));
'
cp graphiql.js graphiql.css LICENSES.md "$out"
ls -l "$out"
