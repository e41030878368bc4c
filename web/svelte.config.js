/** @type {import('svelte/compiler').CompilerOptions} */
// Fragments are built node by node: Trusted Types forbid innerHTML, which templates would use otherwise.
export default { compilerOptions: { fragments: 'tree', runes: true } };
