/** Which cell of a document is chosen, shared by all tabs of this browser: the document's page and its control room. */

const NAME = 'scriptorium:chosen:';

export class SharedChoice {
  #channel: BroadcastChannel;

  constructor(documentId: string, onChosen: (cell: string) => void) {
    this.#channel = new BroadcastChannel(NAME + documentId);
    this.#channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === 'string') onChosen(data);
    };
  }

  tell(cell: string): void {
    this.#channel.postMessage(cell);
  }

  close(): void {
    this.#channel.close();
  }
}
