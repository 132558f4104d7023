"use strict";
// Turns the meshes in this page: drag or arrow keys to turn, wheel, pinch or +/- to zoom, 0 or double click to start over.
(function () {
  const VERTEX = `#version 300 es
    uniform mat4 view; uniform vec3 scale; uniform float zoom; uniform vec2 aspect; uniform bool line;
    in vec3 position; in vec3 normal; in vec3 color;
    out vec3 n; out vec3 c; out float depth;
    void main() {
      vec4 p = view * vec4((position - 0.5) * scale, 1.0);
      n = mat3(view) * normal; c = color; depth = p.z;
      float w = 1.0 - p.z * 0.22;                       // a long lens
      gl_Position = vec4(p.xy * aspect * zoom, -p.z * 0.4 * w, w);
    }`;
  const FRAGMENT = `#version 300 es
    precision highp float;
    uniform bool line; uniform vec3 ink;
    in vec3 n; in vec3 c; in float depth; out vec4 result;
    void main() {
      if (line) { result = vec4(ink, 1.0); return; }
      vec3 m = normalize(n);
      float key = max(dot(m, normalize(vec3(-0.4, 0.62, 0.75))), 0.0);
      float fill = max(dot(m, normalize(vec3(0.8, 0.05, 0.55))), 0.0);
      float shine = pow(max(dot(m, normalize(vec3(-0.2, 0.45, 0.9))), 0.0), 24.0);
      float far = mix(0.7, 1.0, smoothstep(-0.75, 0.3, depth));
      result = vec4(c * (0.36 + 0.12 * m.y + 0.60 * key + 0.26 * fill) * far + 0.07 * shine, 1.0);
    }`;

  function bytes(text) { return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)); }

  function rotate(turn, tilt) {                          // z up, columns of a mat4
    const a = Math.cos(turn), b = Math.sin(turn), c = Math.cos(tilt), d = Math.sin(tilt);
    return [a, b * d, -b * c, 0, -b, a * d, -a * c, 0, 0, c, d, 0, 0, 0, 0, 1];
  }

  function start(figure) {
    const canvas = figure.querySelector("canvas"), mesh = JSON.parse(figure.querySelector("script").textContent);
    const gl = canvas.getContext("webgl2", { antialias: true, alpha: true });
    if (!gl) { figure.classList.add("flat"); return; }
    const program = gl.createProgram();
    [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]].forEach(([kind, source]) => {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source); gl.compileShader(shader); gl.attachShader(program, shader);
    });
    ["position", "normal", "color"].forEach((name, index) => gl.bindAttribLocation(program, index, name));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) { figure.classList.add("flat"); return; }
    gl.useProgram(program);
    const place = (name) => gl.getUniformLocation(program, name);

    const body = gl.createVertexArray();                 // 16 bytes a vertex: position, normal, colour
    gl.bindVertexArray(body);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, bytes(mesh.vertices), gl.STATIC_DRAW);
    gl.vertexAttribPointer(0, 3, gl.UNSIGNED_SHORT, true, 16, 0);
    gl.vertexAttribPointer(1, 3, gl.BYTE, true, 16, 8);
    gl.vertexAttribPointer(2, 3, gl.UNSIGNED_BYTE, true, 16, 12);
    [0, 1, 2].forEach((index) => gl.enableVertexAttribArray(index));
    const faces = bytes(mesh.faces), wide = mesh.width === 4;
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, faces, gl.STATIC_DRAW);

    const frame = gl.createVertexArray(), lines = [];    // the box's edges, or three axes
    if (mesh.frame === "box") {
      for (let i = 0; i < 8; i++) for (let axis = 0; axis < 3; axis++) if (!(i >> axis & 1)) {
        [i, i | 1 << axis].forEach((j) => lines.push(j & 1, j >> 1 & 1, j >> 2 & 1));
      }
    } else {
      for (let axis = 0; axis < 3; axis++) [-0.06, 1.06].forEach((end) => {
        const point = [0.5, 0.5, 0.5]; point[axis] = end; lines.push(...point);
      });
    }
    gl.bindVertexArray(frame);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(lines), gl.STATIC_DRAW);
    gl.vertexAttribPointer(0, 3, gl.FLOAT, false, 0, 0);
    gl.enableVertexAttribArray(0);

    const labels = ["x", "y", "z"].map((name) => {
      const label = document.createElement("span");
      label.className = "axis"; label.textContent = name; label.setAttribute("aria-hidden", "true");
      figure.querySelector(".stage").append(label);
      return label;
    });
    const box = mesh.frame === "box", home = { turn: box ? -0.57 : -2.15, tilt: 0.42, zoom: box ? 1.05 : 1.4 }, state = { ...home };
    let waiting = false;

    function draw() {
      waiting = false;
      const ratio = Math.min(window.devicePixelRatio || 1, 2), wide_ = canvas.clientWidth, high = canvas.clientHeight;
      if (!wide_ || !high) return;
      canvas.width = Math.round(wide_ * ratio); canvas.height = Math.round(high * ratio);
      const view = rotate(state.turn, state.tilt), size = Math.min(wide_, high), aspect = [size / wide_, size / high];
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clearColor(0, 0, 0, 0); gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT); gl.enable(gl.DEPTH_TEST);
      gl.uniformMatrix4fv(place("view"), false, view);
      gl.uniform3fv(place("scale"), mesh.scale); gl.uniform1f(place("zoom"), state.zoom); gl.uniform2fv(place("aspect"), aspect);
      gl.uniform1i(place("line"), 0);
      gl.bindVertexArray(body);
      gl.drawElements(gl.TRIANGLES, faces.length / mesh.width, wide ? gl.UNSIGNED_INT : gl.UNSIGNED_SHORT, 0);
      gl.uniform1i(place("line"), 1); gl.uniform3f(place("ink"), 0.55, 0.57, 0.6);
      gl.bindVertexArray(frame);
      gl.drawArrays(gl.LINES, 0, lines.length / 3);
      labels.forEach((label, axis) => {                   // a little beyond the end of each axis
        const point = box ? [0, 0, 0] : [0.5, 0.5, 0.5];
        point[axis] = box ? 1.09 : 1.13;
        if (box && axis === 1) point[0] = 1; // where nothing hides it at first
        const [a, b, c] = point.map((value, i) => (value - 0.5) * mesh.scale[i]);
        const at = (i) => view[i] * a + view[4 + i] * b + view[8 + i] * c, w = 1 - at(2) * 0.22;
        label.style.left = `${50 + 50 * at(0) * aspect[0] * state.zoom / w}%`;
        label.style.top = `${50 - 50 * at(1) * aspect[1] * state.zoom / w}%`;
      });
    }
    function redraw() { if (!waiting) { waiting = true; requestAnimationFrame(draw); } }
    function turn(x, y) {
      state.turn += x; state.tilt = Math.max(-1.57, Math.min(1.57, state.tilt + y)); redraw();
    }
    function zoom(factor) { state.zoom = Math.max(0.4, Math.min(8, state.zoom * factor)); redraw(); }
    function reset() { Object.assign(state, home); redraw(); }

    const fingers = new Map();
    const spread = () => { const [p, q] = [...fingers.values()]; return Math.hypot(p.x - q.x, p.y - q.y); };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId); fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    });
    canvas.addEventListener("pointermove", (event) => {
      const last = fingers.get(event.pointerId);
      if (!last) return;
      const before = fingers.size === 2 ? spread() : 0, x = event.clientX - last.x, y = event.clientY - last.y;
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (fingers.size === 1) turn(x * 0.008, y * 0.008); else if (before) zoom(spread() / before);
    });
    ["pointerup", "pointercancel"].forEach((name) => canvas.addEventListener(name, (event) => fingers.delete(event.pointerId)));
    canvas.addEventListener("wheel", (event) => {         // the page still scrolls unless the picture was picked
      if (document.activeElement !== canvas && !event.ctrlKey) return;
      event.preventDefault(); zoom(Math.exp(-event.deltaY * 0.0015));
    }, { passive: false });
    canvas.addEventListener("dblclick", reset);
    const keys = {
      ArrowLeft: () => turn(-0.1, 0), ArrowRight: () => turn(0.1, 0), ArrowUp: () => turn(0, -0.1), ArrowDown: () => turn(0, 0.1),
      "+": () => zoom(1.15), "=": () => zoom(1.15), "-": () => zoom(1 / 1.15), "0": reset, Home: reset,
    };
    canvas.addEventListener("keydown", (event) => {
      if (keys[event.key] && !event.ctrlKey && !event.metaKey) { event.preventDefault(); keys[event.key](); }
    });
    new ResizeObserver(redraw).observe(canvas);
    redraw();
  }
  document.querySelectorAll("figure.viewer").forEach(start);
})();
