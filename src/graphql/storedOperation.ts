import { compileDocument, type Operation } from '../operations/document.js';
import { schema } from './schema/schema.js';

export type StoredOperation = Operation & { readonly name: string };

/**
 * An operation of the server's own.
 * @param text of a document with one operation, which has a name
 * @throws Error when it does not fit the schema, which is a fault in the program
 */
export function storeOperation(text: string): StoredOperation {
  const document = compileDocument(schema, text);
  if (document.errors) throw new Error(`${document.errorsFor(schema).join('\n')} in ${text}`);
  const operation = document.operation();
  if (operation?.name === undefined) throw new Error(`no operation with a name in ${text}`);
  return operation as StoredOperation;
}
