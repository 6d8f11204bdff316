"""One file a function, named as it is deployed, beside the steps that its subject shares."""
