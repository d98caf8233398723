import { createParamDecorator } from "@nestjs/common";
import { type Context, current } from "@throughline/context";

/**
 * Parameter decorator for handlers: the Context of the request, after all guards.
 *
 * ```ts
 * @Get()
 * find(@CurrentContext() ctx: Context) {}
 * ```
 */
export const CurrentContext: () => ParameterDecorator = createParamDecorator((): Context => current());
