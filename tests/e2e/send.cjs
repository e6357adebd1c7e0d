// Sends a mail by nodemailer: node send.cjs '{"port": …, "secure": …, "starttls": …, "ca": …, …}' < mail
const fs = require("node:fs");
const nodemailer = require("nodemailer");

const { port, secure, starttls, ca, user, password, from, to } = JSON.parse(process.argv[2]);
const transport = nodemailer.createTransport({
  host: "localhost",
  port,
  secure,
  requireTLS: starttls,
  ignoreTLS: !secure && !starttls,
  tls: { ca: fs.readFileSync(ca) },
  auth: { user, pass: password },
});
transport
  .sendMail({ envelope: { from, to: [to] }, raw: fs.readFileSync(0) })
  .then((info) => console.log(info.response))
  .catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
