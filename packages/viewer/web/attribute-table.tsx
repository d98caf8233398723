import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";

import type { Attributes, AttributeValue } from "../src/span.ts";
import { CopyButton } from "./copy-button.tsx";

interface AttributeTableProps {
  readonly title: string;
  readonly attributes: Attributes;
}

export function AttributeTable({ title, attributes }: AttributeTableProps) {
  const entries = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return null;
  return (
    <section class="attributes">
      <h3>{title}</h3>
      <table>
        <tbody>
          {entries.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{breakable(name)}</th>
              <td>
                <FoldedText text={valueText(value)} />
              </td>
              <td>
                <CopyButton text={valueText(value)} what={name} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Number of characters of a value that are shown at first. */
const MAX_TEXT = 400;

/** Shows the beginning of a long text, and all of it on demand. */
function FoldedText({ text }: { readonly text: string }) {
  const [isOpen, setOpen] = useState(false);
  if (text.length <= MAX_TEXT * 1.5) return <>{text}</>;
  return (
    <>
      {isOpen ? text : `${text.slice(0, MAX_TEXT)}…`}{" "}
      <button type="button" class="copy-button" onClick={() => setOpen(!isOpen)}>
        {isOpen ? "show less" : `show all ${text.length.toLocaleString("en")} characters`}
      </button>
    </>
  );
}

/** Allows line breaks after the dots of a name. */
function breakable(name: string): ComponentChild[] {
  return name.split(/(?<=\.)/).flatMap((part, index) => (index === 0 ? [part] : [<wbr key={index} />, part]));
}

function valueText(value: AttributeValue): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
