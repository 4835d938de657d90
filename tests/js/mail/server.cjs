// A mail server, smtp-server of Nodemailer as npm has it: node server.cjs '{"port", "key", "cert", "user", "pass", "sender"}'
// It says {"listens": port}, then a line of JSON for each mail that it accepted. It takes none without STARTTLS and a
// login, and none from another address than "sender"; nobody has an address that begins with "nobody".
"use strict";
const { SMTPServer } = require("smtp-server");

const { port, key, cert, user, pass, sender } = JSON.parse(process.argv[2]);
const tell = (said) => console.log(JSON.stringify(said));
const refusal = (code, text) => Object.assign(new Error(text), { responseCode: code });

const server = new SMTPServer({
  key,
  cert,
  disableReverseLookup: true,
  logger: false,
  onAuth({ username, password }, session, done) {
    const known = username === user && password === pass;
    done(known ? null : refusal(535, "5.7.8 who are you"), { user: username });
  },
  onMailFrom({ address }, session, done) {
    done(address === sender ? null : refusal(553, "5.7.1 not an address of yours"));
  },
  onRcptTo({ address }, session, done) {
    done(address.startsWith("nobody") ? refusal(550, "5.1.1 there is no such mailbox") : null);
  },
  onData(stream, session, done) {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => {
      const to = session.envelope.rcptTo.map(({ address }) => address);
      const mail = Buffer.concat(parts).toString("utf8");
      tell({ to, mail, user: session.user, secure: session.secure, connection: session.id });
      done();
    });
  },
});

const listen = () => server.listen(port, "127.0.0.1");
server.server.on("listening", () => tell({ listens: server.server.address().port }));
server.on("error", (error) => {
  // somebody may have borrowed the port of a server that comes back; any other error is a client's that went away
  if (error.code === "EADDRINUSE") setTimeout(listen, 100);
});
listen();
