"use client";

import { useState } from "react";

export default function Page() {
  const [state, setState] = useState({ status: "" });

  async function make(event) {
    event.preventDefault();
    let response = await fetch("/api/clips", { method: "POST", body: new FormData(event.currentTarget) });
    let video = await response.json();
    while (response.ok && ["queued", "in_progress"].includes(video.status)) {
      setState({ status: `${video.status} ${video.progress} %` });
      await new Promise((resolve) => setTimeout(resolve, 1000));
      response = await fetch(`/api/clips/${video.id}`);
      video = await response.json();
    }
    if (video.error) setState({ status: video.error.message });
    else setState({ status: video.status, clip: `/api/clips/${video.id}/content` });
  }

  return (
    <main>
      <form onSubmit={make}>
        <label>
          Prompt <input name="prompt" required defaultValue="a red fox runs through deep snow" />
        </label>
        <label>
          First frame <input name="input_reference" type="file" accept="image/*" />
        </label>
        <label>
          Size <input name="size" defaultValue="768x512" />
        </label>
        <label>
          Seconds <input name="seconds" defaultValue="4" />
        </label>
        <button>Make a clip</button>
      </form>
      <output>{state.status}</output>
      {state.clip && <video src={state.clip} controls loop muted />}
    </main>
  );
}
