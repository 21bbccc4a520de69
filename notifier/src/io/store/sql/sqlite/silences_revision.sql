SELECT revision FROM silences_revision WHERE id = 1
