/** The values, events and folded document of `schemas/`, as their JSON stands on the bus and in the snapshot.
 *
 * Twins of `schemas/values.py`, `schemas/events.py`, `schemas/document.py` and `schemas/passages.py`: one name, everywhere.
 * Times are milliseconds since the Unix epoch, offsets of text are Unicode code points, money is US dollars.
 */

// -- Values --------------------------------------------------------------------------------------------------------------

export type Lane = 'interactive' | 'batch';
export type CancelReason = 'stopped' | 'superseded' | 'writer_stopping' | 'bus_lost';
export type ResumeReason = 'asked' | 'viewer_returned' | 'edited';
export type Cause = 'reader' | 'watcher' | 'webhook' | 'undo';
export type ReasonKind =
  | 'brief'
  | 'model'
  | 'heading'
  | 'instructions'
  | 'depends_on'
  | 'column'
  | 'source_added'
  | 'source_replaced'
  | 'source_removed'
  | 'section'
  | 'rewrite'
  | 'unlocked'
  | 'new'
  | 'inputs';
export type PauseReason = 'stop_asked' | 'last_viewer_left' | 'budget_spent' | 'plan_ready';
export type CallOutcome = 'finished' | 'failed' | 'cancelled' | 'lost_race';
export type ErrorKind =
  | 'rate_limited'
  | 'overloaded'
  | 'server_error'
  | 'connection'
  | 'cut'
  | 'stalled'
  | 'slow_start'
  | 'garbled'
  | 'refused'
  | 'bad_answer'
  | 'repetition'
  | 'too_long'
  | 'context_length'
  | 'unauthorized'
  | 'bad_request'
  | 'model_unknown'
  | 'deadline'
  | 'budget'
  | 'poison'
  | 'no_model'
  | 'bad_source'
  | 'bad_outline';

export interface Policy {
  model: string | null;
  on_last_viewer_left: 'pause' | 'finish_running' | 'continue';
  grace_ms: number | 'never';
  deadline_s: number;
  budget: number | null;
  cell_budget: number | null;
  cell_tokens_max: number | null;
  cell_deadline_s: number | null;
  cache: 'document' | 'shared' | 'off';
  updates: 'auto' | 'manual';
  plan_first: boolean;
}

export interface Estimate {
  cells: number;
  calls: number;
  tokens_in: number;
  tokens_out: number;
  cost: number;
  duration_ms: number;
}

/** Why a cell is stale: what changed, and of which section, source or `section:column`. */
export interface Reason {
  kind: ReasonKind;
  what: string;
}

export interface Column {
  id: string;
  heading: string;
  instructions: string;
  format: 'text' | 'number' | 'yes_no' | 'date' | 'one_of';
  options: readonly string[];
  sample: readonly string[];
}

export interface Section {
  id: string;
  heading: string;
  instructions: string;
  /** `section`, or `table:column` for one column's answers. */
  depends_on: readonly string[];
  columns: readonly Column[];
}

export interface SourceGiven {
  id: string;
  name: string;
  media_type: string;
  size_bytes: number;
  digest: string;
  url: string;
  /** The watch that gave it; empty: none did. */
  watch: string;
}

export interface Citation {
  start: number;
  end: number;
  source: string;
  passage: number;
  quote: string;
  verified: boolean;
}

export interface Passage {
  number: number;
  start: number;
  end: number;
  text: string;
  page: number | null;
  heading: string;
}

export interface Passages {
  source: string;
  name: string;
  passages: readonly Passage[];
}

// -- Facts ---------------------------------------------------------------------------------------------------------------

interface FactBase<Type extends string> {
  type: Type;
  at_ms: number;
}

interface Reservation {
  model: string;
  tokens_in_max: number;
  tokens_out_max: number;
  cost_max: number;
}

export interface DocumentCreated extends FactBase<'DocumentCreated'> {
  title: string;
  brief: string;
  policy: Policy;
  sources: readonly SourceGiven[];
  outline: readonly Section[];
  estimate: Estimate | null;
}

export interface SourceIngested extends FactBase<'SourceIngested'> {
  source: string;
  digest: string;
  passages: number;
  characters: number;
  pages: number;
}

export interface SourceFailed extends FactBase<'SourceFailed'> {
  source: string;
  message: string;
  kind: ErrorKind;
}

export interface OutlinePlanned extends FactBase<'OutlinePlanned'> {
  attempt: number;
  sections: readonly Section[];
  title: string;
}

export interface LastViewerLeft extends FactBase<'LastViewerLeft'> {
  pauses_at_ms: number | null;
}

export type ViewerReturned = FactBase<'ViewerReturned'>;

export interface DocumentPaused extends FactBase<'DocumentPaused'> {
  reason: PauseReason;
  asked_at_ms: number;
}

export interface DocumentResumed extends FactBase<'DocumentResumed'> {
  because: ResumeReason;
}

export interface DocumentCompleted extends FactBase<'DocumentCompleted'> {
  cells_completed: number;
  cells_failed: number;
  /** Each by itself; not there in old logs. */
  cells_stopped?: number;
}

export interface DocumentFailed extends FactBase<'DocumentFailed'> {
  kind: ErrorKind;
  message: string;
}

export interface CellQueued extends FactBase<'CellQueued'> {
  cell: string;
  revision: number;
  job: number;
  input_digest: string;
  lane: Lane;
  deadline_ms: number;
}

export interface CellsQueued extends FactBase<'CellsQueued'> {
  cells: CellQueued[];
}

export interface CellWithdrawn extends FactBase<'CellWithdrawn'> {
  cell: string;
  job: number;
}

export interface CellsStaled extends FactBase<'CellsStaled'> {
  groups: readonly { reasons: readonly Reason[]; cells: readonly string[] }[];
}

export interface CellStopped extends FactBase<'CellStopped'> {
  cell: string;
  job: number;
  asked_at_ms: number;
}

export interface CellsFreshened extends FactBase<'CellsFreshened'> {
  cells: readonly string[];
}

export interface AttemptStarted extends FactBase<'AttemptStarted'>, Reservation {
  cell: string;
  attempt: number;
  writer: string;
  /** The model that would be asked, were it well; empty: this one. */
  fell_back_from: string;
  /** This is try `attempt % 1000` of so many; 0: nobody said. */
  tries_max: number;
}

export interface CallReserved extends FactBase<'CallReserved'>, Reservation {
  cell: string;
  attempt: number;
  call: number;
}

export interface CallSettled extends FactBase<'CallSettled'> {
  cell: string;
  attempt: number;
  call: number;
  model: string;
  outcome: CallOutcome;
  tokens_in: number;
  tokens_out: number;
  cost: number;
  exact: boolean;
  duration_ms: number;
  first_token_ms: number | null;
}

export interface AttemptFailed extends FactBase<'AttemptFailed'> {
  cell: string;
  attempt: number;
  kind: ErrorKind;
  message: string;
  model: string;
  retry_at_ms: number | null;
  next_model: string;
  /** What it had written; not there in old logs. */
  text?: string;
}

export interface AttemptCancelled extends FactBase<'AttemptCancelled'> {
  cell: string;
  attempt: number;
  reason: CancelReason;
  asked_at_ms: number;
  closed_at_ms: number;
  calls_closed: number;
  characters: number;
  tokens_saved: number;
  cost_saved: number;
  /** What it had written; not there in old logs. */
  text?: string;
}

export interface CellDeferred extends FactBase<'CellDeferred'> {
  cell: string;
  attempt: number;
  cost_needed: number;
}

export interface CellCompleted extends FactBase<'CellCompleted'> {
  cell: string;
  revision: number;
  attempt: number;
  text: string;
  output_digest: string;
  model: string;
  fell_back_from: string;
  citations: readonly Citation[];
  cut: ErrorKind | null;
  cached: boolean;
  tokens_in: number;
  tokens_out: number;
  cost: number;
  first_token_ms: number | null;
  duration_ms: number;
}

export interface CellFailed extends FactBase<'CellFailed'> {
  cell: string;
  revision: number;
  job: number;
  kind: ErrorKind;
  message: string;
}

// -- Edits ---------------------------------------------------------------------------------------------------------------

interface EditBase<Type extends string> extends FactBase<Type> {
  cause: Cause;
  who: string;
  estimate: Estimate | null;
}

export interface DocumentEdited extends EditBase<'DocumentEdited'> {
  title: string | null;
  brief: string | null;
}

export interface PolicyChanged extends EditBase<'PolicyChanged'> {
  policy: Policy;
}

export interface OutlineEdited extends EditBase<'OutlineEdited'> {
  sections: readonly Section[];
}

export interface SectionEdited extends EditBase<'SectionEdited'> {
  section: Section;
}

export interface CellEdited extends EditBase<'CellEdited'> {
  cell: string;
  text: string;
  input_digest: string;
  output_digest: string;
  citations: readonly Citation[];
}

export interface CellRestored extends EditBase<'CellRestored'> {
  cell: string;
  text: string;
  input_digest: string;
  output_digest: string;
  model: string;
  citations: readonly Citation[];
  cut: ErrorKind | null;
  by_hand: boolean;
  locked: boolean;
  salt: string;
  chosen_model: string | null;
}

export interface CellLocked extends EditBase<'CellLocked'> {
  cell: string;
}

export interface CellUnlocked extends EditBase<'CellUnlocked'> {
  cell: string;
}

export interface RewriteAsked extends EditBase<'RewriteAsked'> {
  cell: string;
  salt: string;
  model: string | null;
}

export interface OfferAccepted extends EditBase<'OfferAccepted'> {
  cell: string;
  revision: number;
}

export interface OfferDeclined extends EditBase<'OfferDeclined'> {
  cell: string;
  revision: number;
}

export interface UpdateAsked extends EditBase<'UpdateAsked'> {
  cells: readonly string[];
}

export interface SourceAdded extends EditBase<'SourceAdded'> {
  source: SourceGiven;
  before: string | null;
}

export interface SourceReplaced extends EditBase<'SourceReplaced'> {
  source: SourceGiven;
}

export interface SourceRemoved extends EditBase<'SourceRemoved'> {
  source: string;
}

export interface DocumentRestored extends EditBase<'DocumentRestored'> {
  to: number;
  edits: readonly Exclude<Edit, DocumentRestored>[];
}

export type Edit =
  | DocumentRestored
  | DocumentEdited
  | PolicyChanged
  | OutlineEdited
  | SectionEdited
  | CellEdited
  | CellRestored
  | CellLocked
  | CellUnlocked
  | RewriteAsked
  | OfferAccepted
  | OfferDeclined
  | UpdateAsked
  | SourceAdded
  | SourceReplaced
  | SourceRemoved;

export type Fact =
  | DocumentCreated
  | SourceIngested
  | SourceFailed
  | OutlinePlanned
  | LastViewerLeft
  | ViewerReturned
  | DocumentPaused
  | DocumentResumed
  | DocumentCompleted
  | DocumentFailed
  | CellQueued
  | CellsQueued
  | CellWithdrawn
  | CellStopped
  | CellsStaled
  | CellsFreshened
  | AttemptStarted
  | CallReserved
  | CallSettled
  | AttemptFailed
  | AttemptCancelled
  | CellDeferred
  | CellCompleted
  | CellFailed
  | Edit;

export interface TextAppended {
  type: 'TextAppended';
  cell: string;
  attempt: number;
  offset: number;
  text: string;
}

// -- The folded document -------------------------------------------------------------------------------------------------

export interface Waiting {
  type: 'Waiting';
}

export interface Queued {
  type: 'Queued';
  since_ms: number;
  lane: Lane;
}

export interface Writing {
  type: 'Writing';
  attempt: number;
  since_ms: number;
  model: string;
  writer: string;
  fell_back_from: string;
  tries_max: number;
}

export interface Retrying {
  type: 'Retrying';
  attempt: number;
  since_ms: number;
  kind: ErrorKind;
  message: string;
  retry_at_ms: number;
  model: string;
  next_model: string;
  tries_max: number;
}

export interface Completed {
  type: 'Completed';
  at_ms: number;
}

export interface Failed {
  type: 'Failed';
  at_ms: number;
  kind: ErrorKind;
  message: string;
}

export interface Cancelled {
  type: 'Cancelled';
  attempt: number;
  at_ms: number;
  reason: CancelReason;
  closed_at_ms: number | null;
  /** When this cell alone was to be stopped; null: it was stopped with its document. */
  asked_at_ms: number | null;
}

export type CellState = Waiting | Queued | Writing | Retrying | Completed | Failed | Cancelled;

/** Ink that came before the text it follows on: offset, text. */
export type Piece = readonly [number, string];

export interface Ink {
  attempt: number;
  text: string;
  ahead: readonly Piece[];
}

export interface Completion {
  revision: number;
  attempt: number;
  at_ms: number;
  text: string;
  input_digest: string;
  output_digest: string;
  model: string;
  fell_back_from: string;
  citations: readonly Citation[];
  cut: ErrorKind | null;
  cached: boolean;
  tokens_in: number;
  tokens_out: number;
  cost: number;
  first_token_ms: number | null;
  duration_ms: number;
  by_hand: boolean;
  asked_at: number;
  sequence: number;
}

export interface Cell {
  id: string;
  state: CellState;
  revision: number;
  input_digest: string;
  job: number;
  attempt: number;
  attempts: number;
  cost: number;
  cost_needed: number;
  ink: Ink | null;
  ink_dry: number;
  completed: Completion | null;
  asked_at: number;
  locked: boolean;
  offer: Completion | null;
  salt: string;
  model: string | null;
  asked: boolean;
  stale: readonly Reason[];
}

export interface Source {
  given: SourceGiven;
  digest: string | null;
  passages: number;
  characters: number;
  pages: number;
  failure: string | null;
  given_at: number;
}

export type RunState =
  | { type: 'Running'; since_ms: number; deadline_ms: number }
  | { type: 'Paused'; reason: PauseReason; asked_at_ms: number; at_ms: number; ran_ms: number }
  | { type: 'Done'; at_ms: number }
  | { type: 'Abandoned'; at_ms: number; kind: ErrorKind; message: string };

export interface StopReceipt {
  asked_at_ms: number;
  closed_at_ms: number;
  calls_closed: number;
  attempts: number;
  tokens_saved: number;
  cost_saved: number;
}

export interface Ledger {
  calls: number;
  calls_failed: number;
  calls_cancelled: number;
  calls_lost_race: number;
  tokens_in: number;
  tokens_out: number;
  cost: number;
  tokens_estimated: number;
  cost_estimated: number;
  tokens_lost: number;
  cost_lost: number;
  cells_cached: number;
  tokens_cached: number;
  cost_cached: number;
  tokens_saved: number;
  cost_saved: number;
}

export interface Forecast {
  estimate: Estimate;
  since_ms: number;
  calls: number;
  tokens_in: number;
  tokens_out: number;
  cost: number;
}

export interface Reckoning {
  at_ms: number;
  estimate: Estimate;
  actual: Estimate;
}

export interface Document {
  id: string;
  title: string;
  brief: string;
  policy: Policy;
  created_at_ms: number;
  run: RunState;
  outline: readonly Section[];
  sources: Readonly<Record<string, Source>>;
  cells: Readonly<Record<string, Cell>>;
  ran_ms: number;
  leaving: { at_ms: number; pauses_at_ms: number | null } | null;
  stop: StopReceipt | null;
  ledger: Ledger;
  open_calls: Readonly<Record<string, Reservation>>;
  version: number;
  rested: number;
  drafting: boolean;
  edited: Readonly<Record<string, number>>;
  forecast: Forecast | null;
  reckoning: Reckoning | null;
  sequence: number;
}
