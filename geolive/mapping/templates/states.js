// Borders between states: the parts of districts' borders that districts of two states share.
function geoliveStateBorders(districts) {
  "use strict";
  const states = new Map();
  const key = (a, b) => (a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]) ? [a, b] : [b, a]).join(" ");
  const rings = districts.flatMap((district) => district.shape.flat().map((ring) => [district.state ?? "", ring]));
  rings.forEach(([state, ring]) =>
    ring.slice(1).forEach((end, i) => {
      const edge = key(ring[i], end);
      const known = states.get(edge);
      // null where two states meet
      states.set(edge, known === undefined || known === state ? state : null);
    }));
  const lines = [];
  rings.forEach(([, ring]) => {
    let line = null;
    ring.slice(1).forEach((end, i) => {
      const edge = key(ring[i], end);
      if (states.get(edge) !== null) {
        line = null;
        return;
      }
      // the other district has the edge, too
      states.set(edge, undefined);
      if (!line) lines.push((line = [ring[i]]));
      line.push(end);
    });
  });
  return lines;
}
