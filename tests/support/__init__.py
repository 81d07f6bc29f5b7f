"""What several tests share: records, tiny models, fakes of hubs and devices."""
