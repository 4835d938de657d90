// Plays a video, and shows how far the work on it is until all of it is done.
"use strict";
(function () {
  const player = document.getElementById("player");
  const state = document.getElementById("state");
  const words = document.getElementById("words");
  const bar = document.getElementById("progress");
  const query = location.search;
  let playing = false;
  let sizes = 0;
  let hls = null;

  function play() {
    if (playing) return;
    playing = true;
    player.addEventListener("playing", watched, { once: true });
    const master = player.dataset.master;
    if (window.Hls && Hls.isSupported()) {
      hls = new Hls({ enableWorker: true });
      hls.on(Hls.Events.MANIFEST_PARSED, (_, found) => (sizes = found.levels.length));
      hls.loadSource(master);
      hls.attachMedia(player);
    } else if (player.canPlayType("application/vnd.apple.mpegurl")) {
      player.src = master;
    } else {
      state.textContent = "This browser cannot play the video.";
    }
  }

  // Who has an address with a permission looks at what is not shown to others: that is no view.
  function watched() {
    if (query) return;
    fetch("/api/videos/" + player.dataset.video + "/view", { method: "POST" }).catch(() => {});
  }

  // Sizes that were made since the film began are taken up where it is.
  function sharpen(made) {
    if (!hls || made <= sizes) return;
    const paused = player.paused;
    hls.config.startPosition = player.currentTime;
    hls.loadSource(player.dataset.master);
    if (!paused) player.play().catch(() => {});
  }

  async function look() {
    const answer = await fetch("/api/videos/" + player.dataset.video + "/status" + query, { cache: "no-store" });
    if (!answer.ok) return;
    const now = await answer.json();
    if (bar) bar.value = Math.max(bar.value, now.progress);
    if (now.thumbnail && !player.poster) player.poster = now.thumbnail;
    const done = ["ready", "published"].includes(now.status);
    if (words && now.status === "processing") words.textContent = "Being prepared";
    if (done || now.status === "playable") {
      if (words) words.textContent = "Better pictures follow";
      play();
    }
    if (done) {
      state.textContent = "";
      sharpen(now.renditions.length);
    } else if (now.status === "failed") {
      state.textContent = (now.error && now.error.message) || "Nothing could be made of this file.";
    } else {
      again();
    }
  }

  // A gateway that is away for a moment is asked again.
  const again = () => setTimeout(() => look().catch(again), 1000);

  if ("playable" in player.dataset) play();
  if (bar) again();
})();
