/** What clients of the protocol find out about authorization before they have a key. */
import { GRANTABLE } from '../scopes/scope.js';

/** Of the resource /mcp (RFC 9728 3.1). */
export const METADATA_PATH = '/.well-known/oauth-protected-resource/mcp';

/** RFC 9728 */
export const protectedResource = ({ origin }: URL) => ({
  resource: `${origin}/mcp`,
  resource_name: 'Taskgate',
  authorization_servers: [origin],
  scopes_supported: GRANTABLE,
  bearer_methods_supported: ['header'],
});
