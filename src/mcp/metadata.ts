/** What clients of the protocol find out about authorization before they have a key. */
import { APP_SCOPES } from '../apps/appService.js';

/** Of the resource /mcp (RFC 9728 3.1). */
export const METADATA_PATH = '/.well-known/oauth-protected-resource/mcp';

/** RFC 9728 */
export const protectedResource = ({ origin }: URL) => ({
  resource: `${origin}/mcp`,
  resource_name: 'Taskgate',
  authorization_servers: [origin],
  // Those that an application may have: its clients ask for all of them.
  scopes_supported: APP_SCOPES,
  bearer_methods_supported: ['header'],
});
