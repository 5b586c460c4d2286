/** Types that refer to each other, declared before their fields so that the files of the fields form no circle. */
import { builder } from './builder.js';
import { Node } from './node.js';

export const Project = builder.prismaObject('Project', {
  description: 'A project groups tasks.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'projects:read', $granted: 'self' } },
  fields: () => ({}),
});
