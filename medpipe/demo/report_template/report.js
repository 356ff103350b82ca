"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const COLOURS = 10;
  const UNSEEN_S = 0.26; // a longer gap between two points means that the pointer was not seen
  const TAIL_S = 1.2; // how long the bright end of the trace is
  const LINGER_S = 1.0; // how long a box stays bright after its phrase
  const PALE_S = 15; // and then pale
  const NARROW_PX = 480; // below, labels of a still image are numbers only
  const LEAD_S = 0.3; // playing from a phrase starts this early
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const RAMP = [[52, 120, 246], [38, 190, 190], [120, 205, 80], [250, 205, 50], [245, 90, 60]];
  let active = null;

  const make = (parent, name, attributes = {}) => {
    const node = parent.appendChild(document.createElementNS(SVG, name));
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const clock = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    const two = (n) => String(n).padStart(2, "0");
    const minutes = Math.floor(s / 60) % 60;
    const hours = Math.floor(s / 3600);
    return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
  };
  const ramp = (share) => {
    const at = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
    const k = Math.min(Math.floor(at), RAMP.length - 2);
    return `rgb(${RAMP[k].map((v, j) => Math.round(v + (RAMP[k + 1][j] - v) * (at - k))).join()})`;
  };
  /** Number of values in a rising list that are not above x. */
  const upto = (list, x) => {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle] <= x) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const short = (text) => {
    const letters = Array.from(text);
    return letters.length > 30 ? `${letters.slice(0, 29).join("")}…` : text;
  };

  class Player {
    constructor(root) {
      this.root = root;
      this.data = JSON.parse(root.querySelector("script").textContent);
      this.find = (name) => root.querySelector(name);
      this.svg = this.find(".stage");
      [this.width, this.height] = ["width", "height"].map((k) => Number(this.svg.getAttribute(k)));
      this.at = 0; // seconds on the player's own clock, without the cuts
      this.still = true;
      this.line = -2;
      this.lit = null;
      this.measure();
      this.draw();
      this.listen();
      this.render();
      if (this.length) this.find(".bar").hidden = false;
      new ResizeObserver(() => this.place()).observe(this.svg);
    }

    measure() {
      this.length = 0; // of all stretches, seconds
      this.parts = this.data.stretches.map(([start, end]) => {
        this.length += end - start;
        return { start, end, from: this.length - (end - start) };
      });
      this.find(".scrub").max = this.length.toFixed(2);
    }

    /** Seconds from the video's start. */
    videoTime(at = this.at) {
      const k = Math.max(upto(this.parts.map((p) => p.from), at) - 1, 0);
      return this.parts.length ? this.parts[k].start + at - this.parts[k].from : 0;
    }

    ownTime(t) {
      const part = this.parts.find((p) => t <= p.end) || this.parts[this.parts.length - 1];
      return part ? part.from + Math.min(Math.max(t - part.start, 0), part.end - part.start) : 0;
    }

    draw() {
      const { t } = this.data.trace;
      const path = make(this.svg, "g", { class: "path" });
      const under = make(path, "g", { class: "trace" });
      const over = make(path, "g", { class: "trace" });
      const step = Math.max(12, Math.ceil(t.length / 300)); // points of one path element
      this.chunks = [];
      for (let first = 0; first < t.length; first += step) {
        const last = Math.min(first + step, t.length - 1);
        const stroke = ramp(this.ownTime(t[first]) / (this.length || 1));
        const lines = [make(under, "path", { class: "under" }), make(over, "path", { stroke })];
        this.chunks.push({ first, last, lines, drawn: -2 });
      }
      this.boxes = [];
      this.data.phrases.forEach((phrase, k) => phrase.said.forEach((said) => {
        said.boxes.forEach((xyxy, rank) => this.boxes.push(this.box(phrase, k, said, xyxy, rank)));
      }));
      const front = make(this.svg, "g", { class: "path" });
      this.glow = ["glow-under", "glow"].map((name) => make(front, "path", { class: name }));
      this.tail = ["tail-under", "tail"].map((name) => make(front, "path", { class: name }));
      this.dot = make(front, "circle", { class: "dot", r: 0 });
      this.boxes.forEach((box) => this.label(box));
      this.strip();
    }

    box(phrase, k, said, [x0, y0, x1, y1], rank) {
      const [x, y, width, height] = [
        x0 * this.width, y0 * this.height, (x1 - x0) * this.width, (y1 - y0) * this.height,
      ].map((v) => Math.max(v, 0));
      const kind = `box c${k % COLOURS}${phrase.negated ? " negated" : ""}${rank ? " second" : ""}`;
      const node = make(this.svg, "g", { class: kind, "data-phrase": k });
      for (const name of ["under", "edge"]) make(node, "rect", { class: name, x, y, width, height });
      make(node, "title").textContent = phrase.text;
      const note = phrase.negated ? " (negated)" : "";
      const texts = [`${k + 1} ${short(phrase.text)}${note}`, `${k + 1}${note}`];
      return { k, said, rank, x, y, width, height, texts, node };
    }

    label(box) {
      if (box.rank) return;
      box.tag = make(this.svg, "g", { class: `label c${box.k % COLOURS}`, "data-phrase": box.k });
      box.plate = make(box.tag, "rect");
      box.words = make(box.tag, "text");
    }

    strip() {
      const strip = this.find(".strip");
      for (const [k, phrase] of this.data.phrases.entries()) {
        for (const { start, end } of phrase.said) {
          if (start === null || end === null || !this.length) continue;
          const [x, x1] = [start, end].map((t) => (1000 * this.ownTime(t)) / this.length);
          make(strip, "rect", { class: `c${k % COLOURS}`, x, width: Math.max(x1 - x, 3), height: 6 });
        }
      }
    }

    /** Put the labels where they cover neither one another nor the edge, at a readable size. */
    place() {
      const scale = this.svg.getScreenCTM()?.a;
      if (!scale) return;
      const size = 12.5 / scale;
      this.dot.setAttribute("r", 6 / scale);
      const taken = [];
      const skip = this.still && this.width * scale < NARROW_PX ? 1 : 0;
      const live = (box) => box.tag && (this.still || box.state === "on");
      for (const box of this.boxes.filter(live)) {
        const options = box.texts.slice(skip).flatMap((text) => this.options(box, text, size));
        const spot = options.find((o) => o.inside && !taken.some((p) => overlap(o, p)));
        const found = spot || options[options.length - 4];
        box.tag.classList.toggle("crowded", !spot); // then shown only when its phrase is lit
        if (spot) taken.push(spot);
        box.words.textContent = found.text;
        for (const key of ["x", "y", "width", "height"]) box.plate.setAttribute(key, found[key]);
        box.plate.setAttribute("rx", size / 4);
        box.words.setAttribute("font-size", size);
        box.words.setAttribute("x", found.x + found.width / 2);
        box.words.setAttribute("y", found.y + size * 1.12);
        box.words.setAttribute("text-anchor", "middle");
      }
    }

    options(box, text, size) {
      box.words.setAttribute("font-size", size);
      box.words.textContent = text;
      const width = box.words.getComputedTextLength() + size * 0.8;
      const height = size * 1.5;
      const slide = Math.min(Math.max(box.x, 0), Math.max(this.width - width, 0));
      const end = Math.min(Math.max(box.x + box.width - width, 0), Math.max(this.width - width, 0));
      const low = box.y + box.height;
      return [
        [slide, box.y - height], [slide, low], [end, box.y - height], [end, low],
        [box.x + box.width, box.y], [box.x - width, box.y],
        [slide, box.y], [slide, low - height], [end, box.y], [end, low - height],
      ].map(([x, y]) => ({
        x, y, width, height, text,
        inside: x >= 0 && y >= 0 && x + width <= this.width && y + height <= this.height,
      }));
    }

    /** Path through points first..last, broken where the pointer was not seen. */
    path(first, last) {
      const { t, x, y } = this.data.trace;
      let d = "";
      for (let k = first; k <= last; k += 1) {
        const joined = k > first && t[k] - t[k - 1] <= UNSEEN_S;
        d += `${joined ? "L" : "M"}${(x[k] * this.width).toFixed(1)} ${(y[k] * this.height).toFixed(1)}`;
      }
      return d;
    }

    render() {
      const now = this.videoTime();
      this.root.classList.toggle("clocked", !this.still);
      this.root.classList.toggle("playing", active === this);
      this.find(".play .name").textContent = active === this ? "Pause" : "Play";
      this.renderTrace(now);
      this.renderBoxes(now);
      this.renderWords(now);
      const scrub = this.find(".scrub");
      scrub.value = this.at;
      scrub.setAttribute("aria-valuetext", `${clock(now)} in the video`);
      this.find(".clock").textContent = `${clock(now)} / ${clock(this.videoTime(this.length))}`;
    }

    renderTrace(now) {
      const { t, x, y } = this.data.trace;
      const seen = this.still ? t.length : upto(t, now);
      for (const chunk of this.chunks) {
        const last = Math.min(chunk.last, seen - 1);
        const drawn = last < chunk.first ? -1 : last;
        if (drawn === chunk.drawn) continue;
        const d = drawn < 0 ? "" : this.path(chunk.first, drawn);
        chunk.lines.forEach((line) => line.setAttribute("d", d));
        chunk.drawn = drawn;
      }
      const k = seen - 1;
      const here = !this.still && k >= 0 && now - t[k] <= UNSEEN_S;
      let tip = "";
      if (here) {
        const next = k + 1 < t.length && t[k + 1] - t[k] <= UNSEEN_S ? k + 1 : k;
        const share = next > k ? (now - t[k]) / (t[next] - t[k]) : 0;
        const cx = (x[k] + (x[next] - x[k]) * share) * this.width;
        const cy = (y[k] + (y[next] - y[k]) * share) * this.height;
        this.dot.setAttribute("cx", cx.toFixed(1));
        this.dot.setAttribute("cy", cy.toFixed(1));
        tip = `L${cx.toFixed(1)} ${cy.toFixed(1)}`;
      }
      this.dot.setAttribute("visibility", here ? "visible" : "hidden");
      const tail = here ? this.path(upto(t, now - TAIL_S), k) : "";
      this.tail.forEach((line) => line.setAttribute("d", tail && tail + tip));
    }

    renderBoxes(now) {
      const live = new Set();
      let changed = false;
      for (const box of this.boxes) {
        const { start, end } = box.said;
        const begun = this.still || (start !== null && now >= start);
        const on = begun && !this.still && now <= end + LINGER_S;
        if (on) live.add(box.k);
        const state = this.still ? "still" : on ? "on" : begun && now <= end + PALE_S ? "past" : "gone";
        if (box.state === state) continue;
        changed = true;
        box.state = state;
        for (const name of ["on", "past", "gone"]) box.node.classList.toggle(name, name === state);
        box.tag?.classList.toggle("off", !this.still && !on);
      }
      if (!changed) return;
      this.place();
      this.root.querySelectorAll(".chip").forEach((chip) => {
        chip.classList.toggle("on", live.has(Number(chip.dataset.phrase)));
      });
    }

    renderWords(now) {
      const { lines } = this.data;
      let current = -1;
      if (!this.still) {
        lines.forEach((line, k) => {
          if (line.start !== null && line.start <= now + 0.05) current = k;
        });
      }
      if (current !== this.line) this.turnTo(current);
      if (current < 0) return;
      lines[current].tokens.forEach(([, start, end], k) => {
        for (const words of this.words) {
          words[k]?.classList.toggle("said", start !== null && start <= now);
          words[k]?.classList.toggle("now", start !== null && start <= now && now < end);
        }
      });
    }

    turnTo(current) {
      const items = this.find(".lines").children;
      this.root.querySelector(".active")?.classList.remove("active");
      for (const word of this.words?.[1] || []) word.classList.remove("said", "now");
      this.line = current;
      const caption = this.find(".caption");
      caption.replaceChildren();
      if (current < 0) {
        const hint = document.createElement("span");
        hint.className = "hint";
        hint.textContent = this.still ? "Everything at once. Press play, or pick a sentence or word." : "";
        caption.append(hint);
        return;
      }
      const said = items[current].querySelector(".words");
      for (const word of said.children) caption.append(word.cloneNode(true), " ");
      this.words = [[...caption.children], [...said.children]];
      items[current].classList.add("active");
      const list = this.find(".lines");
      if (list.scrollHeight > list.clientHeight) {
        const top = items[current].offsetTop - list.offsetTop - list.clientHeight / 3;
        list.scrollTo({ top, behavior: calm.matches ? "instant" : "smooth" });
      }
    }

    seek(at) {
      this.still = false;
      this.at = Math.min(Math.max(at, 0), this.length);
      this.render();
    }

    play(from = this.at) {
      if (!this.length) return;
      if (active && active !== this) active.pause();
      active = this;
      this.light(null);
      this.seek(from >= this.length - 0.05 ? 0 : from);
      this.before = performance.now();
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame((time) => this.tick(time));
    }

    tick(time) {
      if (active !== this) return;
      const step = (time - this.before) / 1000;
      if (step >= (calm.matches ? 0.25 : 0)) {
        this.before = time;
        this.at = Math.min(this.at + Math.max(step, 0) * Number(this.find(".speed").value), this.length);
        if (this.at >= this.length) return this.showAll();
        this.render();
      }
      this.frame = requestAnimationFrame((next) => this.tick(next));
    }

    pause() {
      if (active === this) active = null;
      this.render();
    }

    toggle() {
      return active === this ? this.pause() : this.play();
    }

    showAll() {
      if (active === this) active = null;
      this.still = true;
      this.at = 0;
      this.line = -2;
      this.render();
    }

    /** Show one phrase alone: its boxes and its part of the trace; null for all. */
    light(k) {
      if (k === this.lit) return;
      this.lit = k;
      this.root.classList.toggle("focusing", k !== null);
      this.root.querySelectorAll("[data-phrase]").forEach((node) => {
        node.classList.toggle("lit", k !== null && Number(node.dataset.phrase) === k);
      });
      const { t } = this.data.trace;
      const seen = k === null ? [] : this.data.phrases[k].said.filter((said) => said.seen);
      const d = seen.map(({ seen: [a, b] }) => this.path(upto(t, a - 1e-4), upto(t, b + 1e-4) - 1));
      this.glow.forEach((line) => {
        line.setAttribute("d", d.join(""));
        line.setAttribute("class", line.getAttribute("class").replace(/ c\d/, ""));
        if (k !== null) line.classList.add(`c${k % COLOURS}`);
      });
    }

    playPhrase(k) {
      const starts = this.data.phrases[k].said.map((said) => said.start).filter((s) => s !== null);
      const now = this.still ? -1 : this.videoTime() + LEAD_S + 0.05;
      const start = starts.find((s) => s > now) ?? starts[0];
      if (start !== undefined) this.play(this.ownTime(start - LEAD_S));
    }

    listen() {
      const on = (name, type, act) => this.find(name)?.addEventListener(type, act);
      on(".play", "click", () => this.toggle());
      on(".all", "click", () => this.showAll());
      on(".scrub", "input", (event) => this.seek(Number(event.target.value)));
      for (const name of ["trace", "boxes"]) {
        on(`.with-${name}`, "change", (event) => {
          this.root.classList.toggle(`no-${name}`, !event.target.checked);
        });
      }
      on(".legend", "click", (event) => {
        const chip = event.target.closest(".chip");
        if (chip) this.playPhrase(Number(chip.dataset.phrase));
      });
      on(".lines", "click", (event) => this.pick(event.target));
      on(".player", "keydown", (event) => this.key(event));
      const lightAt = (event) => {
        const node = event.target.closest("[data-phrase]");
        this.light(node ? Number(node.dataset.phrase) : null);
      };
      for (const type of ["pointerover", "focusin"]) this.root.addEventListener(type, lightAt);
      for (const type of ["pointerleave", "focusout"]) this.root.addEventListener(type, () => this.light(null));
    }

    pick(target) {
      const item = target.closest("li");
      const k = [...this.find(".lines").children].indexOf(item);
      const line = this.data.lines[k];
      if (!line || line.start === null || !getSelection().isCollapsed) return;
      const word = target.closest(".words > span");
      const token = word && line.tokens[[...word.parentNode.children].indexOf(word)];
      this.play(this.ownTime(token ? token[1] : line.start));
    }

    key(event) {
      if (event.target.matches("select") || event.ctrlKey || event.metaKey || event.altKey) return;
      const native = event.target.matches("button, input[type=checkbox]");
      if (event.key === " " && !native) this.toggle();
      else if (event.key === "ArrowLeft") this.seek(this.at - 1);
      else if (event.key === "ArrowRight") this.seek(this.at + 1);
      else if (event.key === "Escape") this.showAll();
      else return;
      event.preventDefault();
    }
  }

  const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width
    && a.y < b.y + b.height && b.y < a.y + a.height;

  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      new Player(target);
    }
  }, { rootMargin: "800px" });
  document.querySelectorAll(".sample").forEach((sample) => near.observe(sample));
})();
