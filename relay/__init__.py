"""The SMTP side: takes the mail, has it rewritten and recorded, hands it upstream."""
