// The older major versions are installed under other names without types. The tests use the types of the newer
// versions.
declare module "express4" {
  const express: unknown;
  export default express;
}
declare module "koa2" {
  const Koa: unknown;
  export default Koa;
}
