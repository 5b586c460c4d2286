/** What a page shows while it has nothing to show: it loads, it failed, there is nothing yet. Each says what to do. */
import { Alert, Button, Center, Code, Loader, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import type { CombinedError } from 'urql';

export function Loading({ what = 'Loading' }: { what?: string }) {
  return (
    <Center mih={180} role="status" aria-label={what}>
      <Loader size="sm" type="dots" />
    </Center>
  );
}

export function Failure({ title, error, onRetry }: { title?: string; error: Error; onRetry?: () => void }) {
  const { message, requestId } = wordsOf(error);
  return (
    <Alert color="red" variant="outline" title={title ?? 'That could not be loaded'} role="alert" my="md">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{message}</Text>
        {requestId && (
          <Text size="xs">
            Request <Code>{requestId}</Code>: the log of the server has it.
          </Text>
        )}
        {onRetry && (
          <Button size="xs" variant="default" onClick={onRetry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

/** Why a form was refused, in words. */
export function Refused({ children }: { children: string | undefined }) {
  if (!children) return null;
  return (
    <Alert color="red" variant="outline" role="alert">
      {children}
    </Alert>
  );
}

/** The same of a change, unless all that is wrong stands at fields of the form. */
export function RefusedChange({
  title,
  error,
  fields,
}: {
  title: string;
  error: Error | undefined;
  fields: readonly string[];
}) {
  if (!error) return null;
  const named = Object.keys(fieldsOf(error));
  return named.length > 0 && named.every((name) => fields.includes(name)) ? null : (
    <Failure title={title} error={error} />
  );
}

export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Center mih={220} px="md">
      <Stack align="center" gap="xs" maw={460}>
        <Title order={2} ta="center">
          {title}
        </Title>
        {children && (
          <Text c="dimmed" ta="center" size="sm" component="div">
            {children}
          </Text>
        )}
        {action}
      </Stack>
    </Center>
  );
}

/** An error in the server's words, or in ours where it has none. */
export function wordsOf(error: Error): { message: string; requestId?: string } {
  const { networkError, graphQLErrors } = error as Partial<CombinedError>;
  const [first] = graphQLErrors ?? [];
  if (first) {
    const { code, requestId, missingScopes } = first.extensions as {
      code?: string;
      requestId?: string;
      missingScopes?: string[];
    };
    if (code === 'FORBIDDEN' && missingScopes?.length) {
      return {
        message: `Your role does not allow this: it takes ${missingScopes.join(', ')}. Ask an admin of the workspace.`,
      };
    }
    return { message: first.message, ...(requestId && { requestId }) };
  }
  if (networkError) return { message: 'The server does not answer. Check your connection, and try again.' };
  return { message: error.message };
}

/** What is wrong with a field, as a sentence under it. */
export function said(messages: readonly string[] | undefined): string | undefined {
  const text = messages?.join('; ');
  return text && text.charAt(0).toUpperCase() + text.slice(1);
}

/** What is wrong with single fields of an input. */
export function fieldsOf(error: Error): Readonly<Record<string, readonly string[]>> {
  const [first] = (error as Partial<CombinedError>).graphQLErrors ?? [];
  return (first?.extensions['fields'] as Record<string, string[]> | undefined) ?? {};
}
