"""What is kept on disk between searches: loaded programs and learnt threads."""
