/** Valid documents over the whole schema, made at random from a seed. */
import {
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';

export interface DocumentOptions {
  /** Values for the arguments that name rows, words and the like, by the name of the argument or its type. */
  readonly values: Readonly<Record<string, readonly unknown[]>>;
  /** Type.field, of what is left out. */
  readonly without: ReadonlySet<string>;
  /** Whether fragments are used in several places. */
  readonly sharedFragments: boolean;
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const DEPTH = 5;
const MOST_ALIASES = 25;

export function randomDocument(
  schema: GraphQLSchema,
  kind: 'query' | 'mutation',
  random: () => number,
  { values, without, sharedFragments }: DocumentOptions,
): string {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  const chance = (share: number) => random() < share;
  const fragments = new Map<string, string>();
  let aliases = 0;

  const literal = (type: GraphQLInputType, name: string, depth: number): string => {
    if (isNonNullType(type)) return literal(type.ofType, name, depth);
    if (isListType(type)) {
      return `[${Array.from({ length: Math.floor(random() * 3) }, () => literal(type.ofType, name, depth)).join(', ')}]`;
    }
    const own = values[name] ?? values[getNamedType(type).name];
    if (own) return JSON.stringify(pick(own));
    if (isEnumType(type)) return pick(type.getValues()).name;
    if (isInputObjectType(type)) {
      const all = Object.values(type.getFields());
      const some = all.filter((field) => isNonNullType(field.type) || (depth > 0 && chance(1.5 / all.length)));
      return `{ ${some.map((field) => `${field.name}: ${literal(field.type, field.name, depth - 1)}`).join(', ')} }`;
    }
    throw new Error(`no values for ${name} of ${String(type)}`);
  };

  const fieldsOf = (type: GraphQLNamedType) =>
    isObjectType(type) || isInterfaceType(type)
      ? Object.values(type.getFields()).filter(({ name }) => !without.has(`${type.name}.${name}`))
      : [];

  /** @param used names that stand in the place already */
  const selection = (type: GraphQLNamedType, depth: number, used: Set<string>, wanted: number): string => {
    const parts: string[] = [];
    for (let left = wanted; left > 0; left -= 1) {
      const roll = random();
      if (isInterfaceType(type) && roll < 0.6) {
        const possible = pick(schema.getPossibleTypes(type));
        parts.push(`... on ${possible.name} { ${selection(possible, depth, used, 2)} }`);
      } else if (roll < 0.1) parts.push(`... { ${selection(type, depth, used, 1)} }`);
      else if (roll < 0.2) parts.push(spread(type, depth));
      else parts.push(field(type, depth, used));
    }
    const all = parts.filter(Boolean);
    return all.length > 0 ? all.join(' ') : '__typename';
  };

  const field = (type: GraphQLNamedType, depth: number, used: Set<string>, prefix = ''): string => {
    const all = fieldsOf(type).filter((one) => depth > 0 || isLeafType(getNamedType(one.type)));
    if (all.length === 0) return '';
    const chosen = pick(all);
    let key = `${prefix}${chosen.name}`;
    if (prefix || used.has(key)) {
      if (aliases >= MOST_ALIASES) return '';
      aliases += 1;
      if (used.has(key)) key = `a${aliases}_${chosen.name}`;
    }
    used.add(key);
    const given = chosen.args
      .filter((argument) => isRequiredArgument(argument) || chance(0.4))
      .filter(({ name }, _, these) => name !== 'last' || !these.some((other) => other.name === 'first'));
    const written = given.map((argument) => `${argument.name}: ${literal(argument.type, argument.name, 2)}`).join(', ');
    const inner = getNamedType(chosen.type);
    const below = isLeafType(inner)
      ? ''
      : ` { ${selection(inner, depth - 1, new Set(), 1 + Math.floor(random() * 3))} }`;
    return `${key === chosen.name ? '' : `${key}: `}${chosen.name}${written ? `(${written})` : ''}${below}`;
  };

  const spread = (type: GraphQLNamedType, depth: number): string => {
    const same = [...fragments.keys()].filter((name) => name.startsWith(`On${type.name}_`));
    if (sharedFragments && same.length > 0 && chance(0.6)) return `...${pick(same)}`;
    const name = `On${type.name}_${fragments.size}`;
    // Before its text, so that it does not come to contain itself.
    const text = field(type, Math.min(depth, 2), new Set(), `f${fragments.size}_`);
    if (!text) return '';
    fragments.set(name, `fragment ${name} on ${type.name} { ${text} }`);
    return `...${name}`;
  };

  const root = kind === 'query' ? schema.getQueryType() : schema.getMutationType();
  if (!root) throw new Error(`no ${kind}`);
  const body = selection(root, DEPTH, new Set(), 1 + Math.floor(random() * 2));
  return `${kind} Random { ${body} } ${[...fragments.values()].join(' ')}`;
}
