"""The only room that reads the clock, draws ids and touches the host itself: the rooms above get these handed in."""
