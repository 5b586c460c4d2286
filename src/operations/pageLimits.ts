/** Rows of a page. */
export const DEFAULT_PAGE = 20;
export const MAX_PAGE = 1000;
/** Passing over rows takes the database time, which the operation's cost counts. */
export const MAX_OFFSET = 10_000_000;
