"""What a teacher said of a data set, in files made once for any student; never what a student says."""
