import { Canvas } from "./canvas.ts";

function context(): Canvas {
  const canvas = new Canvas("The Context of a request with two derived contexts, each with its own deadline", 220);
  canvas.box(20, 16, 150, 34).code(32, 38, "background");
  canvas.text(190, 38, "never ends", "quiet");
  canvas
    .line([
      [40, 50],
      [40, 92],
    ])
    .arrow([40, 92], [60, 92]);
  canvas.box(62, 74, 150, 36).code(74, 97, "request").text(226, 90, "ends after 5 s, when the client");
  canvas.text(226, 107, "leaves, or with its response");
  canvas
    .line([
      [84, 110],
      [84, 190],
    ])
    .arrow([84, 142], [106, 142])
    .arrow([84, 190], [106, 190]);
  canvas.box(108, 125, 150, 34).code(120, 147, "withTimeout").text(272, 147, "ends after 500 ms");
  canvas.box(108, 173, 150, 34).code(120, 195, "withValue").text(272, 195, "user: “ada”");
  return canvas;
}

function deadlines(): Canvas {
  const canvas = new Canvas("Each of three services is given what its caller has left of two seconds", 236);
  const scale = (ms: number): number => 84 + ms * 0.185;
  const hops = [
    { name: "gateway", from: 0, given: 2000, used: 1300, header: "maxTimeout: 2s" },
    { name: "search", from: 300, given: 1699, used: 1000, header: "grpc-timeout: 1699m" },
    { name: "stock", from: 700, given: 1298, used: 500, header: "grpc-timeout: 1298m" },
  ];
  for (const [index, { name, from, given, used, header }] of hops.entries()) {
    const y = 28 + index * 64;
    canvas.text(8, y + 19, name).code(scale(from), y - 6, header, "quiet");
    canvas.band(scale(from), y, given * 0.185, 28).bar(scale(from), y + 8, used * 0.185, 12);
    if (index > 0) canvas.arrow([scale(from), y - 44], [scale(from), y - 20]);
  }
  canvas.line(
    [
      [scale(2000), 12],
      [scale(2000), 196],
    ],
    "stop",
  );
  canvas.text(scale(0), 220, "0", "quiet").text(scale(2000), 220, "deadline, 2 s", "bad", "end");
  return canvas;
}

function cancellation(): Canvas {
  const canvas = new Canvas("A client leaves after 83 ms; gateway, search and stock end one after the other", 236);
  const names = ["client", "gateway", "search", "stock"];
  for (const [index, name] of names.entries()) {
    const [y, end] = [30 + index * 48, 250 + index * 26];
    canvas.text(8, y + 13, name).bar(84 + index * 22, y, end - 84 - index * 22, 16);
    canvas.cross(end + 10, y + 8);
    if (index > 0) {
      canvas.arrow([84 + index * 22, y - 32], [84 + index * 22, y]);
      canvas.arrow([end - 13, y - 34], [end + 6, y - 2], "stop");
    }
  }
  canvas.text(272, 42, "leaves after 83 ms", "bad").text(300, 90, "aborts its call", "quiet");
  canvas.text(326, 138, "aborts its call", "quiet").text(352, 186, "cancels its query", "quiet");
  canvas.text(84, 224, "0 ms", "quiet").text(340, 224, "86 ms", "quiet", "end");
  return canvas;
}

function values(): Canvas {
  const canvas = new Canvas("Values go from gateway to stock only: one is an origin, the other a trusted peer", 232);
  canvas
    .box(170, 84, 130, 56)
    .text(235, 108, "gateway", "ink", "middle")
    .code(235, 127, "store: paris", "accent", "middle");
  canvas.box(14, 84, 90, 56).text(59, 108, "browser", "ink", "middle").text(59, 127, "not trusted", "quiet", "middle");
  canvas.arrow([104, 112], [168, 112]).cross(136, 112).text(8, 164, "its baggage is removed", "bad");
  canvas.box(356, 20, 116, 56).text(414, 44, "stock", "ink", "middle").text(414, 63, "in origins", "quiet", "middle");
  canvas.arrow([300, 98], [354, 60], "good").code(214, 44, "store=paris", "accent");
  canvas
    .box(356, 150, 116, 56)
    .text(414, 174, "rates API", "ink", "middle")
    .text(414, 193, "another origin", "quiet", "middle");
  canvas.arrow([300, 126], [354, 166]).text(206, 196, "deadline and", "quiet").text(206, 213, "trace only", "quiet");
  return canvas;
}

function tracing(): Canvas {
  const canvas = new Canvas("A waterfall of four spans; the third was given 500 ms of 1.9 s", 220);
  const rows = [
    { name: "GET /search", x: 130, given: 330, used: 180, label: "2 s" },
    { name: "  POST", x: 146, given: 314, used: 150, label: "1.9 s" },
    { name: "    pricing", x: 160, given: 82, used: 82, label: "500 ms" },
    { name: "      SELECT", x: 176, given: 66, used: 66, label: "" },
  ];
  for (const [index, { name, x, given, used, label }] of rows.entries()) {
    const y = 18 + index * 42;
    const isLate = index > 1;
    canvas.text(8 + (name.length - name.trimStart().length) * 5, y + 17, name.trimStart());
    canvas.band(x, y, given, 26).bar(x, y + 7, used, 12, isLate ? "bad" : "accent");
    if (label !== "") canvas.text(x + given - 6, y + 18, isLate ? "" : label, "ink", "end");
  }
  canvas.text(252, 120, "its own maxTimeout, 500 ms", "bad").text(252, 162, "ended with it", "quiet");
  canvas.band(130, 190, 24, 14).text(160, 202, "given").bar(220, 192, 24, 10).text(250, 202, "used");
  return canvas;
}

function overload(): Canvas {
  const canvas = new Canvas("Arriving requests run, wait in a queue, or are rejected with 503", 232);
  canvas.text(8, 74, "requests").arrow([70, 70], [124, 70], "good");
  canvas.box(126, 46, 110, 48).text(181, 75, "in time?", "ink", "middle");
  canvas.arrow([236, 70], [300, 70], "good").text(252, 60, "yes", "accent");
  canvas.box(302, 30, 170, 80).text(387, 50, "running", "ink", "middle");
  for (let slot = 0; slot < 6; slot += 1) canvas.bar(318 + slot * 24, 62, 18, 34);
  canvas.arrow([181, 94], [181, 178], "stop").text(190, 122, "no", "bad");
  canvas.text(181, 198, "503 at once, started=?0", "bad", "middle").text(181, 216, "safe to repeat", "quiet", "middle");
  canvas.box(302, 140, 170, 48).text(314, 158, "queue, by importance", "quiet");
  for (let slot = 0; slot < 4; slot += 1) canvas.band(314 + slot * 22, 164, 16, 16);
  canvas
    .arrow([387, 138], [387, 112])
    .line([
      [236, 82],
      [268, 82],
      [268, 164],
    ])
    .arrow([268, 164], [300, 164]);
  return canvas;
}

/** The drawings of `docs/learn`, by the names of their files. */
export const DRAWINGS: Readonly<Record<string, () => Canvas>> = {
  context,
  deadlines,
  cancellation,
  values,
  tracing,
  overload,
};
