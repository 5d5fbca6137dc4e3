"""Patient Workbench: one case in the browser, from the patient to the policy's choice and what comes of it."""
