<?php
// Writes and sends a mail by PHPMailer: php send.php AUTOLOAD '{"port": …, "secure": …, "subject": …, …}'
require $argv[1];
$given = json_decode($argv[2], true, 512, JSON_THROW_ON_ERROR);

$mail = new PHPMailer\PHPMailer\PHPMailer(true);
$mail->isSMTP();
$mail->Host = "localhost";
$mail->Port = $given["port"];
$mail->SMTPSecure = $given["secure"] ? "ssl" : ($given["starttls"] ? "tls" : "");
$mail->SMTPAutoTLS = $given["starttls"];
$mail->SMTPOptions = ["ssl" => ["cafile" => $given["ca"]]];
$mail->SMTPAuth = true;
$mail->Username = $given["user"];
$mail->Password = $given["password"];
$mail->CharSet = "UTF-8";
$mail->dsn = "SUCCESS,FAILURE";
$mail->setFrom($given["from"], "Ana");
$mail->addAddress($given["to"]);
$mail->Subject = $given["subject"];
$mail->isHTML($given["html"]);
$mail->Body = $given["body"];
if ($given["file"]) {
    $mail->addAttachment($given["file"], $given["file_name"]);
}
try {
    $mail->send();
} catch (PHPMailer\PHPMailer\Exception $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(1);
}
