"""The method's experiments in small: one seed's teacher, its students by every arm, what each loses; never judges a finding."""
