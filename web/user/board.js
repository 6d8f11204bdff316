// The leaderboard, of users or of teams: the first hundred, one's own place, and whether to take part.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { plural, relative, whole } from "../lib/format.js";
import { Table } from "../lib/table.js";

const BOARDS = { week: "This week", month: "This month", ever: "All time" };

/** `team`: the id of the team whose place is shown, on the board of teams; `leads`: the user may take part for it. */
export function Board({ cloud, close, team, leads }) {
  const whose = team && { team };
  const [board, setBoard] = useState("week");
  const [shown, setShown] = useState(null);
  const [bad, setBad] = useState(null);
  const title = useRef(null);
  const looked = useRef(0);
  useEffect(() => title.current.focus(), []);
  const look = (name) => {
    const turn = ++looked.current; // a slow answer must not replace that of a later look
    const latest = (show) => (answer) => turn === looked.current && show(answer);
    return cloud.call("get_leaderboard", { board: name, ...whose }).then(
      latest((answer) => (setShown(answer), setBad(null))),
      latest((refusal) => setBad(refusal.message)),
    );
  };
  useEffect(() => void look(board), [board]);
  const set = (data) => cloud.call("set_leaderboard", { ...data, ...whose }).then(() => look(board), (refusal) => setBad(refusal.message));
  const join = (event) => {
    event.preventDefault();
    set({ listed: true, displayName: new FormData(event.target).get("name") });
  };
  return html`
    <section class="card" aria-labelledby="board">
      <div class="row"><button class="button small" onClick=${close}>Back</button><h2 id="board" tabindex="-1" ref=${title}>${team ? "Leaderboard of teams" : "Leaderboard"}</h2></div>
      <label>Points of <select value=${board} onChange=${(event) => setBoard(event.target.value)}>${Object.entries(BOARDS).map(([name, words]) => html`<option key=${name} value=${name}>${words}</option>`)}</select></label>
      <div aria-live="polite">${bad && html`<p class="bad" role="alert">${bad}</p>`}${shown?.you && html`<p>${place(shown.you, team)}</p>`}</div>
      ${shown && html`<${First} shown=${shown} own=${team ? "(your team)" : "(you)"} />
      ${shown && team && !shown.you && html`<p class="quiet">Your team takes no part${leads ? "" : ": an owner or admin can change that"}.</p>`}`}
      ${shown && (!team || leads) && html`
        <form class="stack" onSubmit=${join} key=${shown.you?.displayName}>
          <label>${team ? "The team's name" : "Your name"}, as everybody sees it<input type="text" name="name" required minlength="2" maxlength="20" autocomplete="nickname" defaultValue=${shown.you?.displayName ?? ""} /></label>
          <div class="row"><button class="button primary">${shown.you ? "Change the name" : "Take part"}</button>${shown.you && html`<button type="button" class="button" onClick=${() => set({ listed: false })}>Leave the leaderboard</button>`}</div>
          ${!shown.you && html`<p class="quiet">Only those who take part are listed. You can leave at any time.</p>`}
        </form>`}
    </section>
  `;
}

function First({ shown, own }) {
  if (shown.top.length === 0) return html`<p class="quiet">Nobody is listed yet. The list is written at ten past each hour.</p>`;
  const rows = shown.top.map(({ rank, displayName, points, you }) => [whole(rank), html`${displayName ?? "(hidden)"}${you ? html` <b>${own}</b>` : ""}`, whole(points)]);
  return html`<p class="quiet">As it was ${relative(shown.updatedAt)}.</p><${Table} columns=${[">Rank", "Name", ">Points"]} rows=${rows} heading=${1} />`;
}

function place({ rank, exact, points }, team) {
  const has = team ? "Your team has" : "You have";
  if (points === 0) return `${has} no points here yet: each photo${team ? " that it pays" : ""} brings some.`;
  const where = rank === null ? "" : exact ? `: rank ${whole(rank)}` : `: about rank ${whole(rank)}`;
  return `${has} ${plural(points, "point")}${where}.`;
}
