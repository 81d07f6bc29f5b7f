"""The nano family: a language model small enough to ship, trained from scratch on text made by seed.

`kinds` makes exercises (one file a kind of text), `corpus` mixes them into training text, `tokenizer` and `training`
turn that text into a checkpoint, `weights` holds the shipped ones. The `nano` suite (harness/tasks/nano) draws its
test items from the same makers, on the other side of a split that no seed can cross (`world.held_out`).
"""
