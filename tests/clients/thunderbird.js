// In Thunderbird: trusts the certificate's authority, keeps the password, opens a compose window with the
// letter in it, and presses Send. Tells null when the copy in Sent is written too, else what went wrong.
const [given, tell] = arguments;
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");

async function trustAndLogin() {
  const authorities = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
  authorities.addCertFromBase64(given.ca, "C,,");
  const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  login.init("smtp://localhost", null, "smtp://localhost", given.user, given.password, "", "");
  await Services.logins.addLoginAsync(login);
}

function parameters() {
  const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
  fields.to = given.to;
  fields.subject = given.subject;
  fields.body = given.body;
  if (given.file) {
    const attachment = Cc["@mozilla.org/messengercompose/attachment;1"].createInstance(Ci.nsIMsgAttachment);
    const file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
    file.initWithPath(given.file);
    attachment.url = Services.io.newFileURI(file).spec;
    attachment.name = given.file_name;
    fields.addAttachment(attachment);
  }
  const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
  params.composeFields = fields;
  params.type = Ci.nsIMsgCompType.New;
  params.format = given.html ? Ci.nsIMsgCompFormat.HTML : Ci.nsIMsgCompFormat.PlainText;
  params.identity = MailServices.accounts.allIdentities[0];
  return params;
}

function composeWindow() {
  return new Promise(resolve => {
    const opened = {
      observe(window, topic) {
        if (topic == "domwindowopened") {
          window.addEventListener("compose-editor-ready", () => resolve(window), { once: true });
        }
      },
    };
    Services.ww.registerNotification(opened);
    MailServices.compose.OpenComposeWindowWithParams(null, parameters());
  });
}

function send(window) {
  return new Promise((resolve, reject) => {
    window.gMsgCompose.RegisterStateListener({
      NotifyComposeFieldsReady() {},
      NotifyComposeBodyReady() {},
      SaveInFolderDone() {},
      ComposeProcessDone(status) {
        status ? reject(new Error(`sending ended with 0x${(status >>> 0).toString(16)}`)) : resolve();
      },
    });
    window.goDoCommand("cmd_sendNow");
  });
}

trustAndLogin()
  .then(composeWindow)
  .then(send)
  .then(() => tell(null), error => tell(`${error}\n${error.stack}`));
