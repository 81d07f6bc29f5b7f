"""What a teacher said of a data set, in files made once for any student: hidden states, or samples of its distribution."""
