/** The field option `rateLimit`: declared where the field is, kept by src/limits. */
import SchemaBuilder, {
  BasePlugin,
  type FieldNullability,
  type InputFieldMap,
  type PothosOutputFieldConfig,
  type SchemaTypes,
  type TypeParam,
} from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import type { FieldLimit } from '../../limits/fieldLimits.js';
import type { Context } from '../context.js';

const NAME = 'rateLimit';

declare global {
  namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      rateLimit: RateLimitPlugin<Types>;
    }
    interface MutationFieldOptions<
      Types extends SchemaTypes,
      Type extends TypeParam<Types>,
      Nullable extends FieldNullability<Type>,
      Args extends InputFieldMap,
      ResolveReturnShape,
    > {
      rateLimit?: FieldLimit;
    }
    interface QueryFieldOptions<
      Types extends SchemaTypes,
      Type extends TypeParam<Types>,
      Nullable extends FieldNullability<Type>,
      Args extends InputFieldMap,
      ResolveReturnShape,
    > {
      rateLimit?: FieldLimit;
    }
  }
}

class RateLimitPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(
    resolver: GraphQLFieldResolver<unknown, Types['Context'], object>,
    { pothosOptions }: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> {
    const { rateLimit } = pothosOptions as { rateLimit?: FieldLimit };
    if (!rateLimit) return resolver;
    return async (parent, args, context, info) => {
      const { principal, services, meter } = context as unknown as Context;
      const refused = meter.refusedBy.bind(meter);
      const giveBack = await services.fieldLimits.consume(principal.lineageId, rateLimit, info, refused);
      try {
        return await resolver(parent, args, context, info);
      } catch (error) {
        if (rateLimit.countsSuccesses) await giveBack();
        throw error;
      }
    };
  }
}

SchemaBuilder.registerPlugin(NAME, RateLimitPlugin);
export default NAME;
