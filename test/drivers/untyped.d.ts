// It has no types of its own.
declare module "pg-cursor" {
  const Cursor: new (text: string) => { submit(connection: object): void; read(rows: number): Promise<unknown[]> };
  export default Cursor;
}
