// The older majors are installed under other names, for which nobody publishes types: they are used by the shape of the newer ones.
declare module "express4" {
  const express: unknown;
  export default express;
}
declare module "koa2" {
  const Koa: unknown;
  export default Koa;
}
