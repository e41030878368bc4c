/** What work was expected to come to, put to the test when it is over: the twin of `schemas/forecasts.py`. */

import type { CallSettled, Document, Edit, Estimate } from './types';

/** An edit's estimate is added to that of the work that goes on; at rest, it begins one. */
export function foreseen(document: Document, fact: Edit): Document {
  if (fact.estimate == null) return document;
  const was = document.forecast;
  if (was !== null && document.run.type === 'Running') {
    return { ...document, forecast: { ...was, estimate: sum(was.estimate, fact.estimate) } };
  }
  const { calls, tokens_in, tokens_out, cost } = document.ledger;
  const forecast = { estimate: fact.estimate, since_ms: fact.at_ms, calls, tokens_in, tokens_out, cost };
  return { ...document, forecast };
}

/** The work is over: what was expected stands beside what it came to. */
export function reckoned(document: Document, at_ms: number): Document {
  const { forecast: was, ledger } = document;
  if (was === null) return document;
  const written = Object.values(document.cells).filter(
    (cell) => cell.completed !== null && cell.completed.at_ms >= was.since_ms,
  );
  const actual: Estimate = {
    cells: written.length,
    calls: ledger.calls - was.calls,
    tokens_in: ledger.tokens_in - was.tokens_in,
    tokens_out: ledger.tokens_out - was.tokens_out,
    cost: ledger.cost - was.cost,
    duration_ms: Math.max(at_ms - was.since_ms, 0),
  };
  return { ...document, forecast: null, reckoning: { at_ms, estimate: was.estimate, actual } };
}

/** A bill that comes right behind the end is part of what the work came to: its call had been counted when it was reserved. */
export function billed(document: Document, fact: CallSettled): Document {
  const { reckoning: was } = document;
  if (was === null || document.run.type === 'Running') return document;
  const { tokens_in, tokens_out, cost } = was.actual;
  const actual = {
    ...was.actual,
    tokens_in: tokens_in + fact.tokens_in,
    tokens_out: tokens_out + fact.tokens_out,
    cost: cost + fact.cost,
  };
  return { ...document, reckoning: { ...was, actual } };
}

function sum(one: Estimate, other: Estimate): Estimate {
  return {
    cells: one.cells + other.cells,
    calls: one.calls + other.calls,
    tokens_in: one.tokens_in + other.tokens_in,
    tokens_out: one.tokens_out + other.tokens_out,
    cost: one.cost + other.cost,
    duration_ms: one.duration_ms + other.duration_ms,
  };
}
