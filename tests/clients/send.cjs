// Writes and sends a mail by nodemailer: node send.cjs '{"port": …, "secure": …, "subject": …, …}'
const fs = require("node:fs");
const nodemailer = require("nodemailer");

const given = JSON.parse(process.argv[2]);
const transport = nodemailer.createTransport({
  host: "localhost",
  port: given.port,
  secure: given.secure,
  requireTLS: given.starttls,
  ignoreTLS: !given.secure && !given.starttls,
  tls: { ca: fs.readFileSync(given.ca) },
  auth: { user: given.user, pass: given.password },
});
transport
  .sendMail({
    from: given.from,
    to: given.to,
    subject: given.subject,
    [given.html ? "html" : "text"]: given.body,
    attachments: given.file ? [{ filename: given.file_name, path: given.file }] : [],
    dsn: { id: "letter", return: "headers", notify: ["success", "failure"], recipient: given.to },
  })
  .then((info) => console.log(info.response))
  .catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
