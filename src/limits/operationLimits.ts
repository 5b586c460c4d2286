/** What one operation may be, at most. Refused before anything runs, with COST_LIMIT_EXCEEDED and the numbers. */
export const OPERATION_LIMITS = {
  /** Points; see src/operations/cost.ts. */
  cost: 10_000,
  depth: 12,
  /** The introspection that tools send is deeper than data ever is. */
  introspectionDepth: 20,
  aliases: 30,
  rootFields: 20,
  /** Pairs of fields with the same name in the document: the validation compares each with each. */
  fieldPairs: 5000,
  /** Operations, and fragments that each of them spreads, one below another: the same fragment counts for each. */
  spreads: 10_000,
  tokens: 2000,
  /** Of the document's text: comments are no tokens, and take time to read all the same. */
  characters: 100_000,
  directives: 50,
  /** Objects and lists within each other in the arguments, literal or in variables. */
  variableDepth: 20,
  /** Objects in all filters of an operation. */
  filterNodes: 200,
  /** Values in all lists of an operation's inputs. */
  listValues: 1000,
  /** Characters of all inputs: a variable counts wherever it is used. */
  inputCharacters: 2_000_000,
  /** The same in all filters. */
  filterCharacters: 100_000,
  /** Objects and lists in a body: making them takes far longer than reading them. */
  bodyNodes: 100_000,
  /** Operations in one HTTP request. */
  batch: 10,
} as const;

export type OperationLimit = keyof typeof OPERATION_LIMITS;

/** An operation counts as one request, and as one more for every so many points. */
export const POINTS_PER_REQUEST = 100;

export function requestsOf(cost: number): number {
  return 1 + Math.floor(cost / POINTS_PER_REQUEST);
}
