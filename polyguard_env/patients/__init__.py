"""Patients: the model of one, and the vectorised generator of many."""
