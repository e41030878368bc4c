/** The graph of a document's sections: what depends on what, laid out by dagre. The layout changes only with the outline. */

import dagre from '@dagrejs/dagre';
import type { Section } from '../types';
import { parentIds } from '../view';

export interface GraphNode {
  id: string;
  heading: string;
  x: number;
  y: number;
}

export interface GraphEdge {
  from: string;
  to: string;
  points: readonly (readonly [number, number])[];
}

export interface Graph {
  nodes: readonly GraphNode[];
  edges: readonly GraphEdge[];
  width: number;
  height: number;
}

export const NODE = { width: 116, height: 38 } as const;
const EMPTY: Graph = { nodes: [], edges: [], width: 0, height: 0 };

/** Left to right: what is written first stands left. An edge to a section that is not there is left out. */
export function graphOf(outline: readonly Section[]): Graph {
  if (outline.length === 0) return EMPTY;
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: 'LR', nodesep: 8, ranksep: 20, marginx: 4, marginy: 4 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(outline.map((section) => section.id));
  for (const section of outline) graph.setNode(section.id, { ...NODE });
  for (const section of outline) {
    for (const on of parentIds(section)) if (known.has(on)) graph.setEdge(on, section.id);
  }
  dagre.layout(graph);
  const placed = outline.map(({ id, heading }) => {
    const { x, y } = graph.node(id) as { x: number; y: number };
    return { id, heading, x: x - NODE.width / 2, y: y - NODE.height / 2 };
  });
  const edges = graph.edges().map(({ v, w }) => {
    const { points } = graph.edge(v, w) as { points: { x: number; y: number }[] };
    return { from: v, to: w, points: points.map(({ x, y }) => [x, y] as const) };
  });
  const { width, height } = graph.graph() as { width: number; height: number };
  return { nodes: placed, edges, width, height };
}

export function pathOf(edge: GraphEdge): string {
  return edge.points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
}

/** A heading that fits a line of the timeline, by a rough measure. */
export function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).trimEnd()}…`;
}

const PREFIX = /^[^:]{1,40}: /;

/** A heading without the words that others begin with as well: 'Exercise: choose', 'Exercise: cancel'. */
export function distinctive(heading: string, all: readonly string[]): string {
  const prefix = PREFIX.exec(heading)?.[0];
  if (prefix === undefined || all.filter((one) => one.startsWith(prefix)).length < 2) return heading;
  const rest = heading.slice(prefix.length);
  return rest === '' ? heading : rest.charAt(0).toUpperCase() + rest.slice(1);
}
