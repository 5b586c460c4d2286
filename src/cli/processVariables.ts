/** The variables that the process was started with. */
export type ProcessVariables = Readonly<Record<string, string | undefined>>;
