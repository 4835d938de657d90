// Drives socket.io-client as npm has it: commands come in as lines of JSON, what happens goes out as lines of JSON.
//   node sockets.js FOLDER          FOLDER/node_modules has the client
//   {"do": "open", "socket": "a", "url": "http://…", "options": {…}}      options as the client takes them
//   {"do": "send", "socket": "a", "event": "join", "data": [{…}], "ask": 1}   with "ask" an acknowledgement is awaited
//   {"do": "close", "socket": "a"}
// Ends when its input ends.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { io } = createRequire(`${process.argv[2]}/`)("socket.io-client");
const sockets = new Map();
const tell = (socket, what, more) => console.log(JSON.stringify({ socket, what, at: Date.now(), ...more }));

const commands = {
	open({ socket: name, url, options }) {
		const socket = io(url, { forceNew: true, ...options });
		sockets.set(name, socket);
		const transport = () => socket.io.engine?.transport?.name;
		const upgraded = () => tell(name, "upgrade", { transport: transport() });
		socket.io.on("open", () => socket.io.engine.once("upgrade", upgraded));
		socket.on("connect", () => tell(name, "connect", { id: socket.id, transport: transport() }));
		socket.on("connect_error", (error) => tell(name, "connect_error", { message: error.message }));
		socket.on("disconnect", (reason) => tell(name, "disconnect", { reason }));
		socket.onAny((event, ...data) => tell(name, "event", { event, data }));
	},
	send({ socket: name, event, data, ask }) {
		const socket = sockets.get(name);
		if (ask === undefined) return socket.emit(event, ...data);
		const answered = (error, answer) => tell(name, "answer", { ask, error: error?.message, answer });
		socket.timeout(10_000).emit(event, ...data.map(bytes), answered);
	},
	close({ socket: name }) {
		sockets.get(name).disconnect();
	},
};

// {"bytes": "…"} stands for bytes, which JSON has not
const bytes = (value) => (typeof value?.bytes === "string" ? Buffer.from(value.bytes) : value);

for await (const line of createInterface({ input: process.stdin })) {
	const command = JSON.parse(line);
	commands[command.do](command);
}
process.exit(0);
